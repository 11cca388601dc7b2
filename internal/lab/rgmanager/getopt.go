package rgmanager

import "strings"

// option is one flag of a command line with its value.
type option struct {
	flag  byte
	value string
}

// getopt reads a command line as getopt(3) does: a letter followed by ':' takes a value. bad is the letter that is
// not known, or that lacks its value; 0 is none.
func getopt(args []string, spec string) (options []option, rest []string, bad byte) {
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return options, append(rest, args[i+1:]...), 0
		}
		if len(a) < 2 || a[0] != '-' {
			rest = append(rest, a)
			continue
		}
		for j := 1; j < len(a); j++ {
			at := strings.IndexByte(spec, a[j])
			if at < 0 || a[j] == ':' {
				return options, rest, a[j]
			}
			o := option{flag: a[j]}
			if at+1 < len(spec) && spec[at+1] == ':' {
				if o.value = a[j+1:]; o.value == "" {
					i++
					if i == len(args) {
						return options, rest, a[j]
					}
					o.value = args[i]
				}
				options = append(options, o)
				break
			}
			options = append(options, o)
		}
	}
	return options, rest, 0
}
