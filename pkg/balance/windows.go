package balance

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/conf"
	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// Asked is the longest window of a resource that an algorithm names in its text. What it reckons out when it runs is not in it.
type Asked struct {
	Block    *conf.Block
	Resource string
	Minutes  int
}

// Windows gives what the algorithms ask for, in the order of the file.
func Windows(f *conf.File) []Asked {
	var out []Asked
	var of *conf.Block
	funcs := hostFuncs(&Config{})
	for i := range funcs {
		if funcs[i].Check == nil {
			continue
		}
		funcs[i].Check = func(literals []perl.Value) string {
			if len(literals) < 2 || literals[0].IsUndef() || literals[1].IsUndef() {
				return ""
			}
			n, err := minutes(literals[1])
			if err != nil {
				return ""
			}
			name := literals[0].String()
			if i := slices.IndexFunc(out, func(a Asked) bool { return a.Block == of && a.Resource == name }); i >= 0 {
				out[i].Minutes = max(out[i].Minutes, n)
			} else {
				out = append(out, Asked{of, name, n})
			}
			return ""
		}
	}
	blocks := slices.Clone(f.Blocks)
	if f.Default != nil {
		blocks = append(blocks, f.Default)
	}
	slices.SortFunc(blocks, func(a, b *conf.Block) int { return a.Line - b.Line })
	for _, of = range blocks {
		if rule := newRule(f, of, of.VM); rule.Program == nil {
			rule.compile(f, funcs)
		}
	}
	return out
}

// sampleBytes is a line of a log that holds no long numbers: stamp, blank, four digits, line end.
const sampleBytes = 20

// LogReach is how far back the part of a log reaches that is read at most, with a sample every so often.
func LogReach(interval time.Duration) time.Duration { return maxTail / sampleBytes * interval }

// ReachOf is LogReach of the log at path, by the stamps and the length of its newest lines. ok is false where these are too few to
// tell, or cannot be read.
func ReachOf(path string) (reach time.Duration, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	text, _, err := tailOf(f, firstTail, firstTail, func([]byte) bool { return true })
	if err != nil {
		return 0, false
	}
	list, _ := parseSamples(text)
	list = order(list)
	if len(list) < headLines {
		return 0, false
	}
	span := list[0].At.Sub(list[len(list)-1].At)
	if span < 0 {
		span = -span
	}
	return time.Duration(float64(span) * maxTail / float64(len(text))), span > 0
}

// TooLong says in words that a window is longer than a log reaches, or "". step tells of the log.
func (a Asked) TooLong(reach time.Duration, step string) string {
	asked := time.Duration(a.Minutes) * time.Minute
	if asked <= reach {
		return ""
	}
	return fmt.Sprintf("the rule asks for %d minutes of %s, and of a log at most %d KiB are read, which reach back %d minutes%s: it will have no data, and the VM stays",
		a.Minutes, a.Resource, maxTail>>10, int(reach/time.Minute), strings.TrimRight(" "+step, " "))
}
