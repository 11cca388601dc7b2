// Package pacemaker holds no code, only the tests of LBVM in a real cluster: three nodes, each in namespaces of its own,
// with corosync, Pacemaker and libvirtd; guests of QEMU that count on their consoles; and a fence device on the host. The
// programs are laid down by `make install`, and set up by the commands of docs/install-pacemaker.md.
//
// The host looks at all QEMU processes twenty times a second, and at the consoles a hundred times: that a guest ran twice
// is seen there, whatever a node says.
package pacemaker
