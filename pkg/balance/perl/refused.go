package perl

import "strings"

// refusedFunctions tells whether perl's function of that name would reach the
// system or is left out, and what to use instead.
func refusedFunctions(name string) (hint string, refused bool) {
	switch name {
	case "system", "exec", "fork", "wait", "waitpid", "kill", "syscall", "getppid", "getpgrp", "setpgrp", "getpriority", "setpriority":
		return noCommands, true
	case "alarm", "sleep", "times":
		return "nothing is waited for: the balancer runs the algorithm again in a minute", true
	case "open", "close", "opendir", "readdir", "closedir", "rewinddir", "seekdir", "telldir", "readline", "readlink", "read", "sysread",
		"syswrite", "sysopen", "sysseek", "seek", "tell", "eof", "truncate", "binmode", "fileno", "flock", "getc", "select", "write",
		"stat", "lstat", "unlink", "rename", "mkdir", "rmdir", "chmod", "chown", "link", "symlink", "chdir", "chroot", "umask", "utime",
		"glob", "fcntl", "ioctl", "pipe", "format", "formline", "mknod", "dbmopen", "dbmclose":
		return noFiles, true
	case "socket", "bind", "connect", "listen", "accept", "shutdown", "send", "recv", "socketpair", "getsockopt", "setsockopt",
		"getsockname", "getpeername", "gethostbyname", "gethostbyaddr", "getprotobyname", "getservbyname", "getpwnam", "getpwuid",
		"getgrnam", "getgrgid", "getlogin", "getpwent", "getgrent":
		return "the network and the system's tables are out of reach; values come from res() and res2()", true
	case "exit":
		return "use return to end the algorithm", true
	case "require":
		return "only List::Util and POSIX are built in: use List::Util qw(sum);", true
	case "tie", "tied", "untie", "bless":
		return "keep values in arrays and hashes, and write a sub for what is done with them", true
	case "dump", "reset", "study", "prototype", "lock", "import":
		return "leave it out: it has no use here", true
	case "caller":
		return "hand over to the sub what it has to know: name($x)", true
	case "evalbytes":
		return "eval { ... } is", true
	case "fc":
		return "compare with lc on both sides", true
	case "vec":
		return "use an array", true
	case "pack", "unpack":
		return "use sprintf, substr and split", true
	case "pos":
		return "use while ($s =~ /.../g) or a list: my @all = $s =~ /.../g", true
	case "redo", "goto":
		return "use while, next and last", true
	case "crypt", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "shmctl", "shmget", "shmread", "shmwrite":
		return "values come from res() and res2()", true
	}
	return "", false
}

// What is written instead of what reaches out.
const (
	noCommands = "an algorithm only reads values: let the cmd of a resource in lbresources.conf run it, and read that with res()"
	noMethods  = "there are no objects: write a sub, and call it: name($x)"
	noFiles    = "files are out of reach; values come from res() and res2()"
)

// refusedVariable tells what to use instead of a variable of perl's.
func refusedVariable(name string) string {
	switch strings.TrimPrefix(name, "::") {
	case "ENV":
		return "there is no environment: write the value into the algorithm"
	case "ARGV", "F":
		return "an algorithm has no arguments: write the value into it"
	case "INC":
		return "only List::Util and POSIX are built in: use List::Util qw(sum);"
	case "SIG":
		return "eval { ... } goes on behind an error, and $@ holds it"
	case "!", "?":
		return "behind eval { ... } the error is in $@"
	case "/", ".":
		return noFiles
	}
	return "use a variable of your own: my $x"
}

// refusedPattern tells what to use instead of a part of a pattern.
func refusedPattern(what string) string {
	switch {
	case strings.HasPrefix(what, "a back reference"):
		return "match both parts, and compare them: /(.)(.)/ && $1 eq $2"
	case strings.HasPrefix(what, "a look-"):
		return "use two matches: $x =~ /a/ && $x !~ /b/, or a group: /a(b)/"
	case strings.HasPrefix(what, "a possessive"), strings.HasPrefix(what, "an atomic"), strings.HasPrefix(what, "a backtracking"):
		return "leave it out: a match takes no longer without it"
	case strings.HasPrefix(what, "code"), strings.HasPrefix(what, "a condition"), strings.HasPrefix(what, "a recursion"):
		return "match, and decide behind it: if (/(...)/) { ... $1 ... }"
	case strings.HasPrefix(what, "a branch reset"):
		return "use two groups: /(a)|(b)/, and $1 // $2"
	case what == `\K`:
		return "put what stays into a group: s/(a)b/$1/"
	case what == `\G`:
		return "take all matches as a list: my @all = $x =~ /.../g"
	}
	return "use a class of characters: [A-Za-z0-9]"
}
