// Package lab is a whole cluster in one folder, to try LBVM on and to test it against.
//
// A node is a folder with a tree of its own (its root), one daemon that plays kernel and
// hypervisors, and the guests as the daemon's children. One more process plays membership,
// fencing, the cluster manager and cron of all nodes. The programs under test are the real
// ones, started as rgmanager and cron start them; vzctl, xm, clustat, clusvcadm and the
// other tools are one program (cmd/lbvm-lab) that asks the daemon or the manager by a
// socket.
//
// Guests write a witness log; Check reads that log and nothing else, and finds a double
// run, lost memory and a stale image. The lab is a test bench and a tutorial, never a
// production cluster manager.
package lab
