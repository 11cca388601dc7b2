package lbvmagent

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strconv"
	"time"

	"github.com/lbvm/lbvm/internal/keyval"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// Outcomes of a pass.
const (
	OK     = "ok"
	Failed = "failed"
	Config = "config" // the configuration cannot be used: no node could cure that
	Locked = "locked" // another pass was running
)

// Causes of a pass that failed.
const (
	CauseNode    = "node" // another node might do better
	CauseConfig  = "config"
	CauseCluster = "cluster"
)

// Record is what a pass leaves on its node. lbmonitor writes it.
type Record struct {
	At       time.Time
	Outcome  string
	Cause    string
	Failures int // passes in a row that failed for a cause of this node
	Why      string
}

// Format is the record's text.
func (r Record) Format() []byte {
	return keyval.Pairs{{Key: "format", Value: "1"}, {Key: "at", Value: r.At.Format(time.RFC3339Nano)}, {Key: "outcome", Value: r.Outcome},
		{Key: "cause", Value: r.Cause}, {Key: "failures", Value: strconv.Itoa(r.Failures)}, {Key: "why", Value: r.Why}}.Format()
}

// ParseRecord reads a record.
func ParseRecord(text []byte) (Record, error) {
	k, err := keyval.Parse(text)
	if err != nil {
		return Record{}, err
	}
	if f := k.Get("format"); f != "1" {
		return Record{}, fmt.Errorf("format %q is not known", f)
	}
	r := Record{Outcome: k.Get("outcome"), Cause: k.Get("cause"), Why: k.Get("why")}
	if r.At, err = time.Parse(time.RFC3339Nano, k.Get("at")); err != nil {
		return Record{}, fmt.Errorf("at=%q is not a time", k.Get("at"))
	}
	if r.Failures, err = count(k, "failures"); err != nil {
		return Record{}, err
	}
	return r, nil
}

// readRecord gives the last pass's record and what tells it from every other; "" where there is none. One that
// cannot be read says nothing about the node, but it is a sign of life.
func (p place) readRecord(log ocf.Logger) (Record, string) {
	b, err := os.ReadFile(p.host.Path(RecordFile))
	if errors.Is(err, os.ErrNotExist) {
		return Record{}, ""
	}
	id := ""
	var r Record
	if err == nil {
		id = fmt.Sprintf("%08x", crc32.ChecksumIEEE(b))
		r, err = ParseRecord(b)
	}
	if err != nil {
		log.Log(ocf.LevelWarning, "cannot read the record of the last pass: "+err.Error())
		return Record{}, id
	}
	return r, id
}
