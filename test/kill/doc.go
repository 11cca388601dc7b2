// Package kill holds no code: its tests kill agents. Start with TestKilledAgents.
//
// The agents are real processes, called as rgmanager, Pacemaker and Heartbeat call them, on a lab whose own
// cluster manager keeps its hands off the VMs. One after the other is killed with SIGKILL in the middle of a
// changing action, alone or with its process group: after a random part of the time that the action takes, or
// right after the n-th thing that it did. Then another action is called at once, and judged by a table of our own
// (oracle_test.go), written from the protocol's text and not from internal/vm. At the end the VM must be
// back, and the lab's checker reads what the guests wrote.
//
// TestMutants shows that the test would notice: it builds agents with one line changed and wants a finding.
//
// Variables: LBVM_BIN is the folder of a build, LBVM_KILLS how many agents are killed, LBVM_KILL_SEED the seed, LBVM_KILL
// the number of the one episode to repeat, LBVM_KILL_TYPE the type of the only agents to be killed.
package kill
