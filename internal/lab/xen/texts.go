package xen

import "fmt"

type message int

const (
	usage message = iota
	badCommand
	listHead
	listRow
	noDomain
	usingConfig
	noConfig
	noDisk
	started
	needs
	failed
	cannotConnect
	saveFailed
	cannotWrite
	cannotRead
	notAnImage
	restoreFailed
	terminated
	nameExists
	noMemory
	badDisk
	badNumber
	badSyntax
	xendDown
	libxlDown
	xendRuns
	noName
	badName
)

// texts are xm's words of 3.0.3 and of later ones, and xl's where they differ.
var texts = [...][3]string{
	usage: {"Usage: xm <subcommand> [args]\n    Control, list, and manipulate Xen guest instances\n\nxm common subcommands:\n" +
		"    create [-c] <ConfigFile> [Name=Value]..\n    destroy <DomId>\n    domid <DomName>\n    info\n    list [--long] [DomId, ...]\n" +
		"    migrate <DomId> <Host>\n    pause <DomId>\n    restore <File>\n    save <DomId> <File>\n    shutdown <DomId> [-w]\n    unpause <DomId>",
		"Usage: xm <subcommand> [args]\n\nControl, list, and manipulate Xen guest instances.\n\nxm common subcommands:\n" +
			" create               Create a domain based on <ConfigFile>.\n destroy              Terminate a domain immediately.\n" +
			" domid                Convert a domain name to domain id.\n info                 Get information about Xen host.\n" +
			" list                 List information about all/some domains.\n migrate              Migrate a domain to another machine.\n" +
			" pause                Pause execution of a domain.\n restore              Restore a domain from a saved state.\n" +
			" save                 Save a domain state to restore later.\n shutdown             Shutdown a domain.\n" +
			" unpause              Unpause a paused domain.", "Usage xl [-vfN] <subcommand> [args]\n\nxl full list of subcommands:\n\n create, list, destroy, domid, info, migrate, pause, restore, save, shutdown, unpause"},
	badCommand: {"Error: Sub Command %s not found!", "Error: Sub Command %s not found!", "command not implemented: %s"},
	listHead: {"Name                                      ID Mem(MiB) VCPUs State   Time(s)",
		"Name                                        ID   Mem VCPUs      State   Time(s)", "Name                                        ID   Mem VCPUs\tState\tTime(s)"},
	listRow: {"%-40s %3d %8d %5d %6s %8.1f", "%-40s %5d %5d %5d %10s %8.1f", "%-40s %5d %5d %5d     %6s  %8.1f"},
	noDomain: {"Error: Domain '%s' does not exist.\nUsage: xm %s <Domain>\n\nOptions are described in the xm(1) man page.",
		"Error: Domain '%s' does not exist.%.0s", "%s is an invalid domain identifier (rc=-6)%.0s"},
	usingConfig:   {"Using config file \"%s\".", "Using config file \"%s\".", "Parsing config from %s"},
	noConfig:      {"Error: Unable to open config file: %s", "Error: Unable to open config file: %s", "Failed to read config file: %s: No such file or directory"},
	noDisk:        {"Error: Device 51712 (vbd) could not be connected. %s does not exist.", "Error: Device 51712 (vbd) could not be connected. %s does not exist.", "libxl: error: libxl_device.c:265:libxl__device_disk_set_backend: Disk vdev=xvda failed to stat: %s: No such file or directory"},
	started:       {"Started domain %s%.0d", "Started domain %s (id=%d)"},
	needs:         {"Error: 'xm %s' requires %s.", "Error: 'xm %s' requires %s.", "xl %s: requires %s.\nSee xl --help."},
	failed:        {"Error: %s", "Error: %s", "libxl: error: libxl_create.c:578:libxl__domain_make: %s"},
	cannotConnect: {"Error: can't connect: %s", "Error: can't connect: %s"},
	saveFailed:    {"Error: /usr/lib/xen/bin/xc_save 22 %d 0 0 %d failed", "Error: /usr/lib/xen/bin/xc_save 22 %d 0 0 %d failed", "Failed to save domain, resuming domain%.0d%.0d"},
	cannotWrite:   {"Error: can't write guest state file %s: %v", "Error: can't write guest state file %s: %v", "Failed to open temp file %s for writing: %v"},
	cannotRead:    {"Error: xm restore: Unable to read file %s", "Error: xm restore: Unable to read file %s", "xl: fatal error: xl_vmcontrol.c:717, open %s: No such file or directory"},
	notAnImage:    {"Error: not a valid guest state file: %v", "Error: not a valid guest state file: %v", "File has wrong magic number - corrupt or for a different tool? (%v)"},
	restoreFailed: {"Error: Restore failed", "Error: /usr/lib/xen/bin/xc_restore 4 1 1 2 0 0 0 failed", "libxl: error: libxl_create.c:1153:domcreate_rebuild_done: cannot (re-)build domain: -3"},
	terminated:    {"Domain %s terminated", "Domain %s terminated"},
	nameExists:    {"Domain '%s' already exists with ID '%d'", "Domain '%s' already exists with ID '%d'"},
	noMemory: {"I need %d KiB, but dom0_min_mem is 262144 and shrinking to 262144 KiB would leave only %d KiB free.",
		"I need %d KiB, but dom0_min_mem is 262144 and shrinking to 262144 KiB would leave only %d KiB free."},
	badDisk:   {"Invalid disk specifier: %s", "Invalid disk specifier: %s"},
	badNumber: {"invalid literal for int(): %s", "invalid literal for int(): %s"},
	badSyntax: {"invalid syntax: %s", "invalid syntax: %s"},
	xendDown:  {"Error: Unable to connect to xend: Connection refused. Is xend running?", "Error: Unable to connect to xend: Connection refused. Is xend running?"},
	libxlDown: {2: "libxl: error: libxl.c:102:libxl_ctx_alloc: cannot open libxc handle: No such file or directory\ncannot init xl context"},
	xendRuns:  {2: "xend is running, which may cause unpredictable results when using\nthis xl command.  Please shut down xend before continuing.\n\n(This check can be overridden with the -f option.)"},
	noName:    {2: "Domain name must be specified."},
	badName:   {1: "Invalid VM Name: %s"},
}

// refusal is xend's own sentence, in the words of both versions.
type refusal string

func (r refusal) Error() string { return string(r) }

func refuse(m message, args ...any) error { return refusal(fmt.Sprintf(texts[m][1], args...)) }
