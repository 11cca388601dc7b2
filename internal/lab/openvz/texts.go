package openvz

// Exit codes of vzctl.
const (
	exitStart      = 7
	exitLocked     = 9
	exitNoConfig   = 14
	exitCheckpoint = 16
	exitRestore    = 17
	exitUsage      = 20
	exitBadValue   = 21
	exitNotRunning = 31
	exitRunning    = 32
	exitStop       = 33
	exitNotMounted = 40
	exitNoPrivate  = 43
	exitUnmount    = 51
	exitScript     = 79
	exitDisabled   = 105
)

type message int

const (
	usage message = iota
	badOption
	badID
	noID
	noConfig
	lockedBy
	locked
	staleLock
	disabled
	noPrivate
	alreadyRunning
	starting
	mounted
	unmounted
	inProgress
	startFailed
	dumpExists
	notRunningStop
	stopping
	killing
	stopped
	stopTimedOut
	notRunningDump
	notRunningAny
	settingUp
	suspending
	gettingContext
	joiningContext
	dumping
	killStep
	cannotJoin
	cannotSuspend
	cannotDump
	cannotKill
	cannotCreate
	noDumpFile
	dumpDone
	dumpFailed
	killingNow
	resumingNow
	restoreRunning
	restoring
	cannotOpen
	noSupport
	noSupportBack
	saved
	undumping
	undumpFailed
	restoreFailed
	resumeStep
	restoreDone
	mountedAlready
	unmountRunning
	notMounted
	cannotUnmount
	scriptFailed // its words are ours: no source of them was at hand
)

// texts are vzctl's words: of 3.0.22, and of 4.11. VE became CT and container in 3.0.23.
var texts = [...][2]string{
	usage: {"vzctl version 3.0.22\n\nUsage: vzctl [options] <command> <veid> [parameters]\n\n" +
		"vzctl start|stop|restart|status|mount|umount <veid>\nvzctl stop <veid> [--fast]\n" +
		"vzctl chkpnt <veid> [--suspend|--resume|--dump|--kill] [--dumpfile <name>]\n" +
		"vzctl restore <veid> [--undump|--resume|--kill] [--dumpfile <name>]",
		"vzctl version 4.11.1\n\nUsage: vzctl [options] <command> <ctid> [parameters]\n\n" +
			"vzctl start <ctid> [--force] [--wait]\nvzctl stop <ctid> [--fast] [--skip-umount]\n" +
			"vzctl restart|status|mount|umount <ctid>\n" +
			"vzctl suspend | resume <ctid> [--dumpfile <name>] [ --suspend | --undump | --dump | --kill | --resume ]"},
	badOption:      {"vzctl: unrecognized option `%s'", "vzctl: unrecognized option '%s'"},
	badID:          {"Invalid veid: %s", "Bad CT ID %s"},
	noID:           {"VE id is not given", "CT ID missing"},
	noConfig:       {"VE config file does not exist", "Container config file does not exist"},
	lockedBy:       {"Locked by: pid %d, cmdline %s", "Locked by: pid %d, cmdline %s"},
	locked:         {"VE already locked", "Container already locked"},
	staleLock:      {"Removing stale lock file %s", "Removing stale lock file %s"},
	disabled:       {"VE start disabled", "Container start disabled"},
	noPrivate:      {"VE private area %s does not exist", "Container private area %s does not exist"},
	alreadyRunning: {"VE is already running", "Container is already running"},
	starting:       {"Starting VE ...", "Starting container..."},
	mounted:        {"VE is mounted", "Container is mounted"},
	unmounted:      {"VE is unmounted", "Container is unmounted"},
	inProgress:     {"VE start in progress...", "Container start in progress..."},
	startFailed:    {"VE start failed", "Container start failed (try to check kernel messages, e.g. \"dmesg | tail\")"},
	dumpExists:     {"", "Dump file %s exists, trying to restore from it"},
	notRunningStop: {"Unable to stop: VE is not running", "Unable to stop: container is not running"},
	stopping:       {"Stopping VE ...", "Stopping container ..."},
	killing:        {"Killing VE ...", "Killing container ..."},
	stopped:        {"VE was stopped", "Container was stopped"},
	stopTimedOut:   {"Unable to stop VE: operation timed out", "Unable to stop container: operation timed out"},
	notRunningDump: {"Unable to setup checkpointing: VE is not running", "Unable to setup checkpointing: container is not running"},
	notRunningAny:  {"VE is not running", "Container is not running"},
	settingUp:      {"Setting up checkpoint...", "Setting up checkpoint..."},
	suspending:     {"\tsuspend...", "\tsuspend..."},
	gettingContext: {"\tget context...", "\tget context..."},
	joiningContext: {"\tjoin context..", "\tjoin context.."},
	dumping:        {"\tdump...", "\tdump..."},
	killStep:       {"\tkill...", "\tkill..."},
	cannotJoin:     {"Can not join cpt context %d: No such file or directory", "Can not join cpt context %d: No such file or directory"},
	cannotSuspend:  {"Can not suspend VE: %s", "Can not suspend container: %s"},
	cannotDump:     {"Can not dump VE: %s", "Can not dump container: %s"},
	cannotKill:     {"Can not kill VE: %s", "Can not kill container: %s"},
	cannotCreate:   {"Can not create dump file %s: %s", "Can not create dump file %s: %s"},
	noDumpFile:     {"Error: dumpfile is not specified.", "Error: dumpfile is not specified."},
	dumpDone:       {"Checkpointing completed succesfully", "Checkpointing completed successfully"},
	dumpFailed:     {"Checkpointing failed", "Checkpointing failed"},
	killingNow:     {"Killing...", "Killing..."},
	resumingNow:    {"Resuming...", "Resuming..."},
	restoreRunning: {"Unable to perform restore: VE already running", "Unable to perform restore: container already running"},
	restoring:      {"Restoring VE ...", "Restoring container ..."},
	cannotOpen:     {"Unable to open %s: %s", "Unable to open %s: %s"},
	noSupport:      {"Error: No checkpointing support, unable to open /proc/cpt: No such file or directory", "Error: No checkpointing support, unable to open /proc/cpt: No such file or directory"},
	noSupportBack:  {"Error: No checkpointing support, unable to open /proc/rst: No such file or directory", "Error: No checkpointing support, unable to open /proc/rst: No such file or directory"},
	saved:          {"Saved parameters for VE %s", "CT configuration saved to %s"},
	undumping:      {"\tundump...", "\tundump..."},
	undumpFailed:   {"Error: undump failed: %s\nRestoring failed:\nError: %[1]s", "Restore error, undump failed: %s\nRestoring failed:\nError: %[1]s"},
	restoreFailed:  {"VE start failed", "Container restore failed (try to check kernel messages, e.g. \"dmesg | tail\")"},
	resumeStep:     {"\tresume...", "\tresume..."},
	restoreDone:    {"Restoring completed succesfully", "Restoring completed successfully"},
	mountedAlready: {"VE is already mounted", "Container is already mounted"},
	unmountRunning: {"VE is running. Stop VE first", "CT is running. Stop it first"},
	notMounted:     {"VE is not mounted", "CT is not mounted"},
	scriptFailed:   {"Error executing action script %s", "Error executing action script %s"},
	cannotUnmount:  {"Can't umount %s: Device or resource busy", "Can't umount %s: Device or resource busy"},
}
