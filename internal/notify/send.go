package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// Limits in real seconds: of one event to one who is told, and of all.
const (
	sendLimit    = 10 * time.Second
	deliverLimit = 15 * time.Second
	maxAnswer    = 4 << 10 // of a command's or a server's answer, bytes
)

// Sender tells events.
type Sender struct {
	Host host.Host
	Run  run.Runner
	Wait clock.Clock // real seconds
}

// Send tells one of an event. It waits for the end, ten seconds at most. The error names no secret of a URL.
func (s Sender) Send(ctx context.Context, to conf.Notify, e Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("telling %s: %w", Name(to), err)
	}
	ctx, stop := s.Wait.WithTimeout(ctx, sendLimit)
	defer stop()
	if to.URL != "" {
		err = post(ctx, to.URL, body)
	} else {
		err = s.command(ctx, to.Command, e, body)
	}
	if err != nil {
		return fmt.Errorf("telling %s: %w", Name(to), err)
	}
	return nil
}

// Name is who is told, for logs: the command, or the server without what may be secret in its URL.
func Name(to conf.Notify) string {
	if to.URL == "" {
		return to.Command[0]
	}
	u, err := url.Parse(to.URL)
	if err != nil { // the parser of lbvm.conf has seen to that
		return "a URL"
	}
	return u.Scheme + "://" + u.Host
}

// command runs the administrator's program. The event is on its standard input, and the most important of it in its environment.
func (s Sender) command(ctx context.Context, argv []string, e Event, body []byte) error {
	env := append(s.Host.ShellEnviron(), variables(e)...)
	r, err := s.Run.Run(ctx, run.Command{Argv: append([]string{s.Host.Path(argv[0])}, argv[1:]...), Env: env, Stdin: append(body, '\n'), MaxOutput: maxAnswer})
	if err != nil {
		return err
	}
	if r.Code != 0 {
		return fmt.Errorf("it ended with %d%s", r.Code, firstLine(append(r.Stderr, r.Stdout...)))
	}
	return nil
}

// variables are an event for a program that reads no JSON.
func variables(e Event) []string {
	test := "0"
	if e.Test {
		test = "1"
	}
	first := Item{}
	if len(e.Items) > 0 {
		first = e.Items[0]
	}
	var out []string
	for _, x := range [][2]string{{"EVENT", e.Event}, {"TEST", test}, {"TEXT", e.Text}, {"CLUSTER", e.Cluster}, {"NODE", e.Node}, {"COUNT", strconv.Itoa(e.Count)},
		{"VM", value(first.VM)}, {"SOURCE", value(first.Source)}, {"TARGET", value(first.Target)}, {"OUTCOME", value(first.Outcome)}} {
		out = append(out, "LBVM_"+x[0]+"="+strings.ReplaceAll(x[1], "\x00", ""))
	}
	return out
}

// post sends a body. No redirection is followed: the event would arrive as an empty GET.
func post(ctx context.Context, to string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return errors.New("its URL cannot be used")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "lbvm/"+host.Version())
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // its text holds the URL
			err = u.Err
		}
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("it answered %s%s", answer.Status, firstLine(text))
	}
	return err
}

// firstLine is what somebody said, behind a colon, or nothing.
func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	const most = 200
	if len(line) > most {
		line = line[:most] + "..."
	}
	if line != "" {
		line = ": " + line
	}
	return line
}

// Teller tells one of an event. Sender is one.
type Teller interface {
	Send(ctx context.Context, to conf.Notify, e Event) error
}

// Deliver tells events to all who want them, to each in their order and to all at once, in 15 s at most. What could not be told is
// given to lost, by one goroutine at a time. It goes on when ctx ends: the limit is short.
func Deliver(ctx context.Context, t Teller, wait clock.Clock, list []conf.Notify, events []Event, lost func(conf.Notify, Event, error)) {
	ctx, stop := wait.WithTimeout(context.WithoutCancel(ctx), deliverLimit)
	defer stop()
	var all sync.WaitGroup
	var one sync.Mutex
	for _, to := range list {
		all.Add(1)
		go func() {
			defer all.Done()
			for _, e := range events {
				if !to.Wants(e.Event) {
					continue
				}
				if err := t.Send(ctx, to, e); err != nil {
					one.Lock()
					lost(to, e, err)
					one.Unlock()
				}
			}
		}()
	}
	all.Wait()
}
