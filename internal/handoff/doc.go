// Package handoff keeps the files by which a VM passes from one node to another.
//
// Each VM has a folder on the shared storage (Dir, made by Open). Its state record is the
// only truth about where the VM is; it is read by anybody (Read, ReadState) and written only
// under the folder's lock (Lock gives a Locked, which alone can write). Beside it lie memory
// images, each used at most once, and the ticket by which a relocator tells the next stop
// what to do (IssueTicket for the relocator, Locked.LiveTicket for the stop).
//
// The package knows files only: no hypervisor, no cluster manager, no clock of its own.
// Every change of truth is one rename, synced; what cannot be read is an error and never
// guessed. Dir.At names each durable step, so that a test can stop at any of them.
package handoff
