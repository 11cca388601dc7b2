package balance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// passes.log holds one JSON object a line: a Pass. Lists are never null, what is unknown is. Where many VMs may run on
// the same nodes the list of these stands once, in "placements", and each VM gives its number. In a large cluster only
// the best candidates of a VM are written; what the rule read of the others is in the logs.

// AppendPass adds a pass to passes.log at path.
func AppendPass(path string, p *Pass) error {
	line, err := EncodePass(p)
	if err == nil {
		err = appendLine(path, line)
	}
	if err != nil {
		return fmt.Errorf("recording the pass: %w", err)
	}
	return nil
}

// ReadPasses gives the passes from t on, in their order, and how many lines could not be read. It reads from the end.
func ReadPasses(path string, t time.Time) (passes []*Pass, skipped int, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the passes: %w", err)
	}
	defer f.Close()
	text, _, err := tailOf(f, 256<<10, 1<<40, func(text []byte) bool {
		line, _, whole := bytes.Cut(text, []byte("\n"))
		var first struct{ At time.Time }
		return whole && json.Unmarshal(line, &first) == nil && first.At.Before(t)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("reading the passes: %w", err)
	}
	for len(text) > 0 {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		text = rest
		if len(line) == 0 {
			continue
		}
		p, err := DecodePass(line)
		switch {
		case !whole || err != nil:
			skipped++
		case !p.At.Before(t):
			passes = append(passes, p)
		}
	}
	return passes, skipped, nil
}

type jsonPass struct {
	At         time.Time         `json:"at"`
	Config     string            `json:"config"`
	Quorate    bool              `json:"quorate"`
	Nodes      []jsonNode        `json:"nodes"`
	Placements [][]jsonPlacement `json:"placements"`
	VMs        []jsonVM          `json:"vms"`
	Refused    []jsonRefusal     `json:"refused"`
	Decisions  []jsonDecision    `json:"decisions"`
	Rails      map[string]int    `json:"rails"`
	// Newest is in Unix seconds: the newest sample read, by node and resource; null where there was none.
	Newest map[string]map[string]*int64 `json:"newest"`

	key []byte // of the last list of placements
}

type jsonRefusal struct {
	VM   string `json:"vm"`
	Node string `json:"node"`
	Why  string `json:"why"`
}

type jsonNode struct {
	Name     string     `json:"name"`
	Online   bool       `json:"online"`
	Cores    *float64   `json:"cores"`
	MemFree  *int64     `json:"mem_free_bytes"`
	MemTotal *int64     `json:"mem_total_bytes"`
	Seen     *time.Time `json:"seen"`
	Closed   *string    `json:"closed"`
}

type jsonPlacement struct {
	Node  string `json:"node"`
	Score int    `json:"score"`
}

type jsonVM struct {
	Name      string     `json:"name"`
	Type      string     `json:"type"`
	Service   *string    `json:"service"`
	Owner     *string    `json:"owner"`
	LastOwner *string    `json:"last_owner"`
	State     State      `json:"state"`
	Frozen    bool       `json:"frozen"`
	MayRun    int        `json:"may_run"` // index into placements
	Since     *time.Time `json:"since"`
	Cores     *float64   `json:"cpu_cores"`
	Mem       *int64     `json:"mem_bytes"`
	// Uses is by the name of a resource, in its unit; left out where nothing of it is known.
	Uses map[string]float64 `json:"uses,omitempty"`
}

type jsonDecision struct {
	VM         string          `json:"vm"`
	Service    *string         `json:"service"`
	Owner      *string         `json:"owner"`
	Rule       *string         `json:"rule"`
	Verdict    Verdict         `json:"verdict"`
	Target     *string         `json:"target"`
	Why        string          `json:"why"`
	Error      *string         `json:"error"`
	Line       *jsonLine       `json:"line"`
	Reads      []jsonRead      `json:"reads"`
	Candidates []jsonCandidate `json:"candidates"`
	Considered int             `json:"considered"`
	Vetoes     []jsonVeto      `json:"vetoes"`
}

type jsonCandidate struct {
	Node      string     `json:"node"`
	Said      Said       `json:"said"`
	Weight    float64    `json:"weight"`
	Line      *jsonLine  `json:"line"`
	Error     *string    `json:"error"`
	Reads     []jsonRead `json:"reads"`
	Output    string     `json:"output"`
	Steps     []jsonStep `json:"steps"`
	Score     int        `json:"score"`
	Guests    int        `json:"guests"`
	Measured  *jsonRead  `json:"measured"`
	Projected *float64   `json:"projected"`
	Vetoes    []jsonVeto `json:"vetoes"`
	Rank      int        `json:"rank"`
}

type jsonLine struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

type jsonRead struct {
	Resource string   `json:"resource"`
	Node     string   `json:"node"`
	Minutes  int      `json:"minutes"`
	Count    int      `json:"count"`
	Newest   *float64 `json:"newest"`
	Min      *float64 `json:"min"`
	Max      *float64 `json:"max"`
	Average  *float64 `json:"average"`
	Meridian *float64 `json:"meridian"`
	Error    *string  `json:"error"`
}

type jsonStep struct {
	Line   int    `json:"line"`
	Col    int    `json:"col"`
	Source string `json:"source"`
	Text   string `json:"text"`
	Result string `json:"result"`
}

type jsonVeto struct {
	Rail string `json:"rail"`
	Text string `json:"text"`
}
