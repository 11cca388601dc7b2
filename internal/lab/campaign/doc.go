// Package campaign runs the real agents, the real relocator and the real hand-off files through bad days of a cluster,
// in one process and in simulated time, and judges what comes of it.
package campaign
