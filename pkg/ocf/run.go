package ocf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"
)

// Option changes how an agent is served.
type Option func(*settings)

type settings struct {
	pacemaker func() (ocf10, ocf11 []byte) // metadata in Pacemaker's form; nil: it has to be made
	parsed    func() *Metadata             // nil: the XML has to be read
	text      func() []byte                // the XML
}

// WithPacemaker gives the metadata in Pacemaker's form, made with PacemakerXML and PacemakerXML11 when the agent was
// built. Without it that is made at each call. A manager that sets OCF_RA_VERSION_MINOR to 1 or more gets the second.
func WithPacemaker(ocf10, ocf11 []byte) Option {
	return WithPacemakerFrom(func() ([]byte, []byte) { return ocf10, ocf11 })
}

// WithPacemakerFrom is WithPacemaker for texts that are fetched only where they are asked for.
func WithPacemakerFrom(texts func() (ocf10, ocf11 []byte)) Option {
	return func(s *settings) { s.pacemaker = texts }
}

// WithParsed gives metadata that was parsed when the agent was built: what ParseMetadata says of text, of which the
// texts for humans may be missing. Main or Run gets nil as its XML then; text is fetched where it is printed or explained.
// To read the XML costs a status check a fiftieth of its time.
func WithParsed(parsed func() *Metadata, text func() []byte) Option {
	return func(s *settings) { s.parsed, s.text = parsed, text }
}

// metadata is what an action has to know.
func (s settings) metadata() (*Metadata, error) {
	if s.parsed != nil {
		return s.parsed(), nil
	}
	m, _, err := parseMetadata(s.text(), false)
	return m, err
}

// Run answers one call of an agent and gives the exit code. It touches nothing of the process.
func Run(w World, xml []byte, a Agent, options ...Option) (code Code) {
	w = w.complete()
	s := settings{text: func() []byte { return xml }}
	for _, o := range options {
		o(&s)
	}
	defer func() {
		if v := recover(); v != nil {
			code = CodeGeneric
			logPanic(logger(w, "ocf"), "agent", &panicError{v, debug.Stack()})
		}
	}()
	r, err := parseRequest(w)
	if err != nil {
		if _, err := fmt.Fprintf(w.Stderr, "%s: %v; see %[1]s --help\n", programName(w), err); err != nil {
			logger(w, "ocf").Log(LevelError, err.Error())
		}
		if !r.explain {
			logger(w, "ocf").Log(LevelError, err.Error())
		}
		return CodeArgs
	}
	if r.doubt != nil && r.action != actionMetaData && !r.explain {
		logger(w, "ocf").Log(LevelWarning, fmt.Sprintf("%.300s: passed over", r.doubt))
	}
	switch {
	case r.action == actionMetaData:
		// Before anything else: an agent whose metadata fails takes all services of its type down.
		return printMetadata(w, r.dialect, s)
	case r.help:
		usage(w.Stdout, w, s.text())
		return CodeOK
	case r.action == "":
		usage(w.Stderr, w, s.text())
		return CodeArgs
	}
	m, err := s.metadata()
	if err != nil {
		logger(w, "ocf").Log(LevelCrit, err.Error(), "program", w.Args[0])
		return CodeGeneric
	}
	return act(w, m, a, r)
}

func printMetadata(w World, d Dialect, s settings) Code {
	var text []byte
	if d == RGManager {
		text = s.text()
	} else {
		var ocf10, ocf11 []byte
		if s.pacemaker != nil {
			ocf10, ocf11 = s.pacemaker()
		}
		derived, derive := ocf10, PacemakerXML
		if atoi(w.Getenv("OCF_RA_VERSION_MINOR")) >= 1 {
			derived, derive = ocf11, PacemakerXML11
		}
		if derived == nil {
			var err error
			if derived, err = derive(s.text()); err != nil {
				logger(w, "ocf").Log(LevelCrit, err.Error(), "program", w.Args[0])
				return CodeGeneric
			}
		}
		text = derived
	}
	if _, err := w.Stdout.Write(text); err != nil {
		logger(w, "ocf").Log(LevelError, "writing the metadata: "+err.Error(), "program", w.Args[0])
	}
	return CodeOK
}

// act does one action.
func act(w World, m *Metadata, a Agent, r request) Code {
	c := newCall(w, m, r)
	sp := speechOf(r.dialect)
	sp.call(c)
	do, declared := sp.verb(a, c, m)
	if do == nil && !r.explain {
		c.Log.Log(LevelError, fmt.Sprintf("this agent has no action %q", c.Action))
		return CodeUnimplemented
	}
	c.Timeout = declared.Timeout
	if t := sp.timeout(w); t > 0 {
		c.Timeout = t
	}
	c.began = w.Now()
	if r.explain {
		return explain(c, m, a, do)
	}
	defer c.hold.end(c)
	c.box = openBox(w, c)
	if w.process && !asks(c.Action) { // it costs a twentieth of a check
		keepCrash(w)
	}
	err, code := error(nil), CodeOK
	if name, primary := missing(c, m); name != "" {
		err = Errorf(CodeConfigured, "the parameter %q is missing", name)
		code = sp.missing(c, primary)
		c.Log.Log(LevelError, fmt.Sprintf("%s: %v", c.Action, err))
	} else {
		err = perform(c, do)
		code = sp.code(c, err)
		logEnd(c, err, code, c.elapsed())
	}
	c.box.end(code, err, c.elapsed())
	if sp.say != nil {
		sp.say(c, code, err)
	}
	if w.Human && (c.Dialect != Heartbeat || c.Action != "status") {
		sayHuman(w.Stdout, c, code)
	}
	return code
}

// missing is the first parameter that must have a value and has none.
func missing(c *Call, m *Metadata) (name string, isPrimary bool) {
	primary, _ := m.Primary()
	for _, p := range m.Params {
		if (p.Required || p.Primary) && c.Params.Get(p.Name) == "" {
			return p.Name, p.Name == primary.Name
		}
	}
	return "", false
}

func newCall(w World, m *Metadata, r request) *Call {
	c := &Call{Action: r.action, Type: m.Name, Dialect: r.dialect, Params: params(w, m), World: w, args: r.rest}
	if r.explain {
		c.plan = &plan{to: w.Stdout}
		c.Log = c.plan
	} else {
		c.Log = logger(w, m.Name)
		if l, ok := c.Log.(*nodeLog); ok {
			l.manager = r.dialect
		}
	}
	if r.dialect == Heartbeat {
		if over := heartbeatParams(&c.Params, m, r.rest); len(over) > 0 {
			c.Log.Log(LevelWarning, fmt.Sprintf("%q stand for no parameter", over))
		}
	}
	if p, ok := m.Primary(); ok {
		c.Name = c.Params.Get(p.Name)
	}
	if c.Instance = w.Getenv("OCF_RESOURCE_INSTANCE"); c.Instance == "" {
		c.Instance = m.Name + ":" + c.Name
	}
	c.Depth = max(0, atoi(w.Getenv("OCF_CHECK_LEVEL")))
	return c
}

// perform gives do its deadline and waits for it. The deadline comes before the manager's own, so that time is left to
// tidy up. What hangs beyond that is left behind: an answer that never comes is worse than an error.
func perform(c *Call, do func(context.Context) error) error {
	w, timeout := c.World, c.Timeout
	ctx := w.Context
	if timeout > 0 {
		limited, cancel := w.WithTimeout(ctx, timeout-reserve(timeout))
		defer cancel()
		ctx = limited
	}
	done := make(chan error, 1)
	go func() {
		err := errors.New("the action ended without an answer")
		defer func() {
			if v := recover(); v != nil {
				err = &panicError{v, debug.Stack()}
			}
			done <- err
		}()
		deepen(false)
		err = do(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	tidy, cancel := w.WithTimeout(context.WithoutCancel(ctx), tidyTime(timeout))
	defer cancel()
	select {
	case err := <-done:
		return err
	case <-tidy.Done():
	}
	if w.Context.Err() != nil {
		return fmt.Errorf("told to end, and it goes on: %w", context.Cause(w.Context))
	}
	return fmt.Errorf("no end after %s: %w", timeout, context.DeadlineExceeded)
}

// reserve is the part of an action's time that is kept back for tidying up.
// Of a short time it is more than a tenth: a busy node takes some of it to start the agent and to fetch its answer.
func reserve(timeout time.Duration) time.Duration {
	return min(max(timeout/10, min(timeout/4, time.Second)), 2*time.Second)
}

// tidyTime is how long an action may go on after its deadline: most of what was kept back. The rest is for the answer,
// since Pacemaker kills at the timeout and rgmanager, where it enforces one, a second later.
func tidyTime(timeout time.Duration) time.Duration {
	if timeout == 0 {
		return 2 * time.Second
	}
	return reserve(timeout) * 3 / 4
}

// logEnd logs how an action ended.
func logEnd(c *Call, err error, code Code, took time.Duration) {
	what := c.Action + " of " + c.Instance
	var p *panicError
	switch {
	case errors.As(err, &p):
		logPanic(c.Log, what, p)
	case err != nil && code == CodeNotRunning && (c.Action == "status" || c.Action == "monitor"):
		c.Log.Log(LevelDebug, what+": not running here") // what every other node answers to an inquiry
	case err != nil:
		c.Log.Log(LevelError, fmt.Sprintf("%s failed: %v (exit %d)", what, err, int(code)))
	case c.Action == "start" || c.Action == "stop" || strings.HasPrefix(c.Action, "migrate"):
		c.Log.Log(LevelInfo, fmt.Sprintf("%s done in %s", what, took.Round(10*time.Millisecond)))
	default:
		c.Log.Log(LevelDebug, what+": ok")
	}
}

// sayHuman tells whoever called the agent by hand how it went. What went wrong the log has shown.
func sayHuman(to io.Writer, c *Call, code Code) {
	if _, err := fmt.Fprintf(to, "%s of %s: %s (exit %d)\n", c.Action, c.Instance, outcomeWord(c, code), int(code)); err != nil {
		c.Log.Log(LevelDebug, err.Error())
	}
}

// outcomeWord is an exit code in words.
func outcomeWord(c *Call, code Code) string {
	if c.Action == "status" || c.Action == "monitor" {
		switch code {
		case CodeOK:
			return "runs here"
		case CodeNotRunning:
			return "does not run here"
		}
	}
	return code.String()
}

// panicError is a panic of an action.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// maxStack bounds the lines of a stack that are logged.
const maxStack = 40

func logPanic(l Logger, action string, p *panicError) {
	l.Log(LevelCrit, action+" failed by a fault of the agent: "+p.Error())
	for i, line := range strings.Split(strings.TrimSpace(string(p.stack)), "\n") {
		if i == maxStack {
			break
		}
		l.Log(LevelCrit, strings.ReplaceAll(line, "\t", "  "))
	}
}

func programName(w World) string { return programOf(programPath(w)) }

func programOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
