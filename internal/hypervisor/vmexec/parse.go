package vmexec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/syntax"
)

// Parse reads a definition; name is the technology's, file the file's for messages. The Definition is nil if one of the
// diagnostics is an error: half a definition drives nothing.
func Parse(name, file string, src []byte) (*Definition, []syntax.Diagnostic) {
	p := &parser{Scanner: syntax.NewScanner(file, src), def: &Definition{Name: name, Digest: digest(src), commands: map[string]*command{}}, seen: map[string]int{}}
	p.parse()
	p.complete()
	syntax.Sort(p.Diags)
	if syntax.HasErrors(p.Diags) {
		return nil, p.Diags
	}
	return p.def, p.Diags
}

type parser struct {
	*syntax.Scanner
	def  *Definition
	seen map[string]int // statement -> line
	in   *command       // the block that is being read
}

var settings = [...]string{"config", "disk", "memory"}

// begins are the words with which a statement may begin here.
func (p *parser) begins() []string {
	if p.in == nil {
		return slices.Concat(settings[:], commandNames[:])
	}
	return slices.Concat([]string{"run", "sh", "timeout"}, p.meanings())
}

// meanings are those of the block at hand.
func (p *parser) meanings() []string {
	if p.in.name == status {
		return stateWords()
	}
	return []string{done, failed}
}

func (p *parser) parse() {
	for p.Space(); !p.Done(); p.Space() {
		key := p.Word()
		switch {
		case key.Text == "":
			c := p.Peek()
			at := p.Span(p.At, p.At+1)
			if p.At++; c != ';' {
				p.Fail(at, "write for example: start { run PROGRAM %{name}; }", "%q begins no statement", c)
			}
		case slices.Contains(commandNames[:], key.Text):
			p.command(key)
		case slices.Contains(settings[:], key.Text):
			p.setting(key)
		default:
			p.unknown(key)
		}
	}
}

// unknown tells of a key that nobody knows, with what could have been meant.
func (p *parser) unknown(key syntax.Value) {
	hint := "here may stand: " + strings.Join(p.begins(), " ")
	if n := syntax.Nearest(key.Text, p.begins()); n != "" {
		hint = "did you mean " + n + "?"
	}
	p.Fail(key.Span, hint, "unknown key %q", key.Text)
	p.skip()
}

// once tells whether key is given for the first time.
func (p *parser) once(key syntax.Value) bool {
	if line := p.seen[key.Text]; line > 0 {
		p.Fail(key.Span, "take one of the two out", "%s was given already, at line %d", key.Text, line)
		return false
	}
	p.seen[key.Text] = key.Line
	return true
}

func (p *parser) setting(key syntax.Value) {
	if key.Text != "disk" {
		p.once(key)
	}
	allowed := []string{"name"}
	if key.Text == "memory" {
		allowed = nil
	}
	ws, ok := p.words(key, allowed)
	if !ok {
		return
	}
	if len(ws) != 1 {
		p.Fail(key.Span, "write "+key.Text+" VALUE;", "%s has one value, not %d", key.Text, len(ws))
		return
	}
	w := ws[0]
	if key.Text == "memory" {
		n, err := ParseSize(w.fill(nil))
		if err != nil {
			p.Fail(w.at, "write for example: memory 512M; (or G)", "memory: %v", err)
		}
		p.def.memory = n
		return
	}
	if !strings.HasPrefix(w.fill(nil), "/") {
		p.Fail(w.at, "write "+key.Text+" /AN/ABSOLUTE/PATH;", "%s is an absolute path", key.Text)
		return
	}
	if key.Text == "config" {
		p.def.config = &w
	} else {
		p.def.disks = append(p.def.disks, w)
	}
}

// ParseSize reads 512M or 2G, in bytes.
func ParseSize(text string) (int64, error) {
	unit := map[byte]int64{'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}
	if text == "" || unit[text[len(text)-1]] == 0 {
		return 0, fmt.Errorf("%q is no size with a unit (K, M, G)", text)
	}
	n, err := strconv.ParseInt(text[:len(text)-1], 10, 32)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is no size", text)
	}
	return n * unit[text[len(text)-1]], nil
}

// holders are what may be put into the words of a command.
func holders(name string) []string {
	switch name {
	case save, restore:
		return []string{"name", "config", "image"}
	case migrate:
		return []string{"name", "config", "target"}
	}
	return []string{"name", "config"}
}

// command reads a block, or the words of its short form.
func (p *parser) command(key syntax.Value) {
	fresh := p.once(key)
	before := len(p.Diags)
	c := &command{name: key.Text, at: key.Span}
	p.Space()
	if p.Peek() != '{' {
		if key.Text == status {
			p.Fail(key.Span, `write status { run COMMAND; running exit 0 output "..."; stopped ...; }`, "status says what its answers mean, in a block")
			p.skip()
			return
		}
		var ok bool
		if c.words, ok = p.words(key, holders(c.name)); !ok {
			return
		}
	} else {
		open := p.At
		p.At++
		p.in = c
		closed := p.block(c)
		p.in = nil
		if !closed {
			p.Fail(p.Span(open, open+1), "add the missing } behind its last line", "the block of %s is not closed", key.Text)
			return
		}
	}
	if !syntax.HasErrors(p.Diags[before:]) { // what is at fault was told
		p.check(c)
	}
	if fresh {
		p.def.commands[c.name] = c
	}
}

// block reads up to the closing brace. false: there is none.
func (p *parser) block(c *command) bool {
	seen := map[string]int{}
	for p.Space(); !p.Done(); p.Space() {
		key := p.Word()
		if line := seen[key.Text]; line > 0 {
			p.Fail(key.Span, "take one of the two out", "%s was given already, at line %d", key.Text, line)
		}
		switch {
		case key.Text == "":
			at, char := p.Span(p.At, p.At+1), p.Peek()
			p.At++
			if char == '}' {
				return true
			}
			if char != ';' {
				p.Fail(at, "here may stand: "+strings.Join(p.begins(), " "), "%q is not expected in the block of %s", char, c.name)
			}
			continue
		case key.Text == "run":
			if ws, ok := p.words(key, holders(c.name)); ok {
				c.words = ws
			}
			seen["run"] = key.Line
		case key.Text == "sh":
			p.shell(key, c)
			seen["sh"] = key.Line
		case key.Text == "timeout":
			p.timeout(key, c)
			seen["timeout"] = key.Line
		case slices.Contains(p.meanings(), key.Text):
			p.row(key, c)
		default:
			p.unknown(key)
		}
	}
	return false
}

func (p *parser) shell(key syntax.Value, c *command) {
	ws, ok := p.words(key, nil)
	if !ok {
		return
	}
	if len(ws) != 1 {
		p.Fail(key.Span, "put the whole text into quotes: sh 'lxc-info -n \"$VM_NAME\" | tail -1';", "sh has one text, not %d words", len(ws))
		return
	}
	c.shell = ws[0].fill(nil)
}

const longestCommand = time.Hour

func (p *parser) timeout(key syntax.Value, c *command) {
	ws, ok := p.words(key, nil)
	if !ok {
		return
	}
	text := ""
	if len(ws) == 1 {
		text = ws[0].fill(nil)
	}
	d, err := syntax.Duration(text, 0)
	if err != nil || d > longestCommand {
		p.Fail(key.Span, "write for example: timeout 20s;", "timeout is a time of at most 1h")
		return
	}
	c.timeout = d
}

// row reads a meaning's conditions.
func (p *parser) row(key syntax.Value, c *command) {
	ws, ok := p.words(key, []string{"name"})
	if !ok {
		return
	}
	const hint = `write for example: stopped exit 0 output "^STOPPED$";`
	r := row{means: key.Text, at: key.Span}
	for i := 0; i < len(ws); i++ {
		w := ws[i]
		switch text := w.fill(values{"name": "%{name}"}); text {
		case "exit":
			if r.exits != nil {
				p.Fail(w.at, "write the codes behind one exit: exit 0 3", "a second exit in one row")
			}
			for ; i+1 < len(ws) && number(ws[i+1]) >= 0; i++ {
				n := number(ws[i+1])
				if n > 255 {
					p.Fail(ws[i+1].at, "exit codes are 0 to 255", "%d is no exit code", n)
				}
				r.exits = append(r.exits, n)
			}
			if r.exits == nil {
				p.Fail(w.at, hint, "exit is followed by one or more codes")
				return
			}
		case "output", "error":
			to := &r.output
			if text == "error" {
				to = &r.errors
			}
			if *to != nil {
				p.Fail(w.at, "join the two expressions by |", "a second %s in one row", text)
			}
			if i++; i == len(ws) {
				p.Fail(w.at, hint, "%s is followed by a regular expression", text)
				return
			}
			x := &pattern{ws[i].parts}
			if _, err := x.compile("name"); err != nil {
				p.Fail(ws[i].at, "", "not a regular expression: %v", err)
				return
			}
			*to = x
		default:
			p.Fail(w.at, hint, "%q is no condition: they are exit, output and error", text)
			return
		}
	}
	if r.exits == nil && r.output == nil && r.errors == nil {
		p.Fail(key.Span, hint, "%s has no condition: it would mean every answer", key.Text)
		return
	}
	c.rows = append(c.rows, r)
}

// number is the number that w is, or -1.
func number(w word) int {
	if len(w.parts) != 1 || w.parts[0].holder != "" {
		return -1
	}
	n, err := strconv.ParseUint(w.parts[0].text, 10, 16)
	if err != nil {
		return -1
	}
	return int(n)
}

// CheckName tells whether a technology may be called so.
func CheckName(name string) error {
	if err := host.CheckName(name); err != nil {
		return err
	}
	if strings.HasSuffix(name, "~") || strings.Contains(name, ":") {
		return fmt.Errorf("%w: %q", host.ErrName, name)
	}
	return nil
}
