// Package lxc runs real containers through the definition that we install as a sample: LXC is the worked example of a
// technology that an administrator defines. The nodes and their cluster manager are the lab's; the agent, the tools, LXC and
// the containers are real ones. Both nodes are this machine, so each has a folder of configurations of its own
// (lxc.lxcpath), and both configurations name the one root file system on the shared storage.
package lxc
