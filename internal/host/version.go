package host

// version is set by the linker.
var version = "unknown"

// Version is the release that this program was built as.
func Version() string { return version }
