package perl

// refusedFunctions tells whether perl's function of that name would reach the
// system or is left out, and what to use instead.
func refusedFunctions(name string) (hint string, refused bool) {
	switch name {
	case "system", "exec", "fork", "wait", "waitpid", "kill", "alarm", "sleep", "syscall", "times", "getppid", "getpgrp", "setpgrp",
		"getpriority", "setpriority":
		return "an algorithm only reads values and answers migrate() or report()", true
	case "open", "close", "opendir", "readdir", "closedir", "rewinddir", "seekdir", "telldir", "readline", "readlink", "read", "sysread",
		"syswrite", "sysopen", "sysseek", "seek", "tell", "eof", "truncate", "binmode", "fileno", "flock", "getc", "select", "write",
		"stat", "lstat", "unlink", "rename", "mkdir", "rmdir", "chmod", "chown", "link", "symlink", "chdir", "chroot", "umask", "utime",
		"glob", "fcntl", "ioctl", "pipe", "format", "formline", "mknod":
		return "files are out of reach; values come from res() and res2()", true
	case "socket", "bind", "connect", "listen", "accept", "shutdown", "send", "recv", "socketpair", "getsockopt", "setsockopt",
		"getsockname", "getpeername", "gethostbyname", "gethostbyaddr", "getprotobyname", "getservbyname", "getpwnam", "getpwuid",
		"getgrnam", "getgrgid", "getlogin", "getpwent", "getgrent":
		return "the network and the system's tables are out of reach", true
	case "exit":
		return "use return to end the algorithm", true
	case "require":
		return "only List::Util and POSIX are built in: use List::Util qw(sum);", true
	case "dbmopen", "dbmclose", "tie", "tied", "untie", "bless", "dump", "reset", "study", "vec", "prototype", "lock", "caller", "import", "evalbytes":
		return "", true
	case "pack", "unpack":
		return "use sprintf, substr and split", true
	case "pos":
		return "use while ($s =~ /.../g) or a list: my @all = $s =~ /.../g", true
	case "redo", "goto":
		return "use while, next and last", true
	case "crypt", "fc", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "shmctl", "shmget", "shmread", "shmwrite":
		return "", true
	}
	return "", false
}
