// Package metadata holds what each agent says of itself to the cluster manager: its
// parameters with their defaults, its actions with their timeouts.
//
// The XML files are the single source. An agent prints its file byte for byte when
// rgmanager calls it with `meta-data`, and acts by what pkg/ocf reads out of the same bytes:
// internal/parsed holds that as Go values. After a change here run make generate; a test
// fails where anything derived is stale. rgmanager.dtd is what the files are checked with.
//
// What Pacemaker is told, the files in pacemaker/, is derived from them by
// ocf.PacemakerXML: `go generate` writes them anew, and a test fails where one is stale. NAME.xml is of OCF
// 1.0, NAME-1.1.xml of OCF 1.1, which ocf-1.1.rng is for.
package metadata

import _ "embed" // for the go:embed lines

//go:generate env UPDATE=1 go test -count=1 -run ^TestPacemakerIsDerived$ .

// Strings, since nobody can change them.
var (
	//go:embed openvz.xml
	openvz string
	//go:embed xen.xml
	xen string
	//go:embed kvm.xml
	kvm string
	//go:embed vmexec.xml
	vmexec string
	//go:embed lbvm.xml
	lbvm string

	//go:embed pacemaker/openvz.xml
	openvz10 string
	//go:embed pacemaker/openvz-1.1.xml
	openvz11 string
	//go:embed pacemaker/xen.xml
	xen10 string
	//go:embed pacemaker/xen-1.1.xml
	xen11 string
	//go:embed pacemaker/kvm.xml
	kvm10 string
	//go:embed pacemaker/kvm-1.1.xml
	kvm11 string
	//go:embed pacemaker/vmexec.xml
	vmexec10 string
	//go:embed pacemaker/vmexec-1.1.xml
	vmexec11 string
	//go:embed pacemaker/lbvm.xml
	lbvm10 string
	//go:embed pacemaker/lbvm-1.1.xml
	lbvm11 string
)

// OpenVZ is the metadata of the agent for OpenVZ virtual environments.
func OpenVZ() []byte { return []byte(openvz) }

// Xen is the metadata of the agent for Xen domains.
func Xen() []byte { return []byte(xen) }

// KVM is the metadata of the agent for guests of KVM.
func KVM() []byte { return []byte(kvm) }

// VMExec is the metadata of the agent for technologies that an administrator has defined.
func VMExec() []byte { return []byte(vmexec) }

// LBVM is the metadata of the balancer's agent.
func LBVM() []byte { return []byte(lbvm) }

// PacemakerOpenVZ is OpenVZ as Pacemaker reads it, for ocf.WithPacemakerFrom.
func PacemakerOpenVZ() (ocf10, ocf11 []byte) { return []byte(openvz10), []byte(openvz11) }

// PacemakerXen is Xen as Pacemaker reads it, for ocf.WithPacemakerFrom.
func PacemakerXen() (ocf10, ocf11 []byte) { return []byte(xen10), []byte(xen11) }

// PacemakerKVM is KVM as Pacemaker reads it, for ocf.WithPacemakerFrom.
func PacemakerKVM() (ocf10, ocf11 []byte) { return []byte(kvm10), []byte(kvm11) }

// PacemakerVMExec is VMExec as Pacemaker reads it, for ocf.WithPacemakerFrom.
func PacemakerVMExec() (ocf10, ocf11 []byte) { return []byte(vmexec10), []byte(vmexec11) }

// PacemakerLBVM is LBVM as Pacemaker reads it, for ocf.WithPacemakerFrom.
func PacemakerLBVM() (ocf10, ocf11 []byte) { return []byte(lbvm10), []byte(lbvm11) }
