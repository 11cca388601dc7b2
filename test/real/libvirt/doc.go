// Package libvirt holds no code, only the tests of the kvm agent and of the guard with the real libvirt: two libvirtd with
// QEMU, each in namespaces of its own and on a network between the two, a folder that both see, and a tiny guest that
// counts on its console.
package libvirt
