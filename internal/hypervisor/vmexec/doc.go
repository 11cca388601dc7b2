// Package vmexec drives a technology that an administrator has defined in a file, without a compiler.
//
// The file /etc/cluster/lbvm.d/NAME says how a guest is looked at, started and stopped, and what the programs' answers mean.
// Its lexical style is lbvm.conf's:
//
//	# /etc/cluster/lbvm.d/lxc
//	config /var/lib/lxc/%{name}/config;
//	memory 256M;
//
//	status {
//	    run lxc-info --name=%{name} --state;
//	    timeout 10s;
//	    running exit 0 output "^State: +(STARTING|RUNNING|STOPPING)$";
//	    paused  exit 0 output "^State: +FROZEN$";
//	    stopped exit 0 output "^State: +STOPPED$";
//	}
//	start   { run lxc-start --name=%{name} --daemon; timeout 60s; }
//	stop    { run lxc-stop --name=%{name} --nokill --timeout=60; timeout 90s; }
//	destroy { run lxc-stop --name=%{name} --kill; }
//	thaw    { run lxc-unfreeze --name=%{name}; }
//
// Statements of the file: `config PATH;` (optional), `disk PATH;` (any number), `memory SIZE;`, and the commands status,
// start, stop, destroy, thaw, save, restore, migrate. The first three are needed. `start COMMAND;` is short for
// `start { run COMMAND; }`.
//
// A command holds `run WORD...;` or `sh 'TEXT';`, `timeout TIME;`, and rows `MEANING CONDITION...;`. Conditions are
// `exit N...`, `output "REGEXP"`, `error "REGEXP"` (of standard error); all of a row must hold. The meanings of status are
// running, paused, stopped, remains, leaving, arriving and unknown; those of the others are done and failed.
//
// The words of run are an argument vector: no shell sees them. A word may be quoted by ' or ", in which nothing has a
// meaning but a placeholder: %{name}, %{config}, and %{image} in save and restore, %{target} in migrate. What is put in
// for one stays within its word. `sh` runs /bin/sh with a text in which nothing is put in: it reads VM_NAME, VM_CONFIG,
// VM_IMAGE and VM_TARGET.
//
// What is not known is never "stopped":
//
//   - An answer that no row means is unknown, and so is one that two rows give different meanings, an answer that is too
//     long, a program that is missing, that a signal ended or that did not end in time.
//   - A file that is missing, cannot be read, has an error in it, is not root's or may be written by others, is unknown
//     too: nothing is started, and a stop fails.
//   - What start, stop, save and migrate say of themselves counts for nothing until status has said it too.
//
// A technology without save cannot keep memory: its guests go cold. One without migrate cannot move a running guest.
package vmexec
