// Package ocf holds no code: its tests let the real tools of Pacemaker's world judge our agents, as programs that are
// installed where those tools look for them, on nodes of a lab.
//
// TestOCFTester runs the ocf-tester of resource-agents over each agent, TestCRMResource asks Pacemaker's crm_resource
// for what it makes of them. The other managers' parts are played: TestMigration calls as Pacemaker does
// when it moves a resource, TestHeartbeat by a shell script that does what Heartbeat's ResourceManager does
// with a line of haresources, since no distribution brings that any more.
//
// The programs come from the folder that LBVM_BIN names (as `make build` leaves it), else they are built first.
// The tests must be root, and write to /usr/lib/ocf/resource.d: one folder of a name of their own, which they remove.
package ocf
