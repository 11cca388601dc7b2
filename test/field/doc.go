// Package field holds no code: its tests repeat what failed in the field with the agents that others have written. Start
// with docs/field-failures.md, which tells each story; a test bears the name of the upstream commit or issue.
//
// They run our agents in this process, with their real drivers, on nodes of the lab. TestGuardsAreNeeded takes the guard
// against each failure out of the sources and wants the test that bears its name to fail.
package field
