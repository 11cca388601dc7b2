// Package house holds no code, only the tests that keep the project's shape: which
// package may import which, what may be called where, what the libraries may show, and
// what an agent may link. CONTRIBUTING.md tells the same in words.
package house
