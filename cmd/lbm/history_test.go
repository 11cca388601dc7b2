package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// Times of b's clock: 2010-11-17T13:30:00Z is now. Some lines are of versions that wrote less.
const (
	rotatedJournal = `2010-11-10T08:00:00Z event=begin txn=old vm=xen:centos1 from=xen1 to=xen2 kind=live by=lbm why=asked
2010-11-10T08:00:10Z event=end txn=old vm=xen:centos1 from=xen1 to=xen2 outcome=moved owner=xen2 memory=kept seconds=10.0 why=asked
2010-11-17T12:40:00Z event=begin txn=a vm=xen:centos1 from=xen2 to=xen1 kind=live by=lbmonitor why="lbvm.conf:9 said migrate" rails="pass stale-data not-started; off cycle-guard"
`
	journal = `2010-11-17T12:41:00Z event=end txn=a vm=xen:centos1 from=xen2 to=xen1 outcome=elsewhere owner=xen3 memory=kept seconds=60.0 why="it runs elsewhere" asked="lbvm.conf:9 said migrate" kind=live by=lbmonitor rails="pass stale-data not-started; off cycle-guard"
2010-11-17T13:00:00Z event=agent vm=xen:centos1 node=xen3 action=start row=here phase=running txn=a outcome=adopted why=""
2010-11-17T13:05:00Z event=begin txn=b vm=openvz:101 from=xen3 to=xen1 kind=image by=lbm why=asked
2010-11-17T13:10:00Z event=begin txn=c vm=openvz:102 from=xen2 to=xen2 kind=cold by=lbm why="asked for"
2010-11-17T13:10:30Z event=end txn=c vm=openvz:102 from=xen2 to=xen2 outcome=moved owner=xen2 memory=lost seconds=30.0 why="asked for" kind=cold by=lbm
2010-11-17T13:20:00Z event=end txn=d vm=openvz:103 from=xen2 to=xen1 outcome=failed owner=xen2 memory=kept seconds= why="its relocator died" asked="lbvm.conf:7 said migrate" kind=image by=lbmonitor
2010-11-17T13:21:00Z event=of-a-later-version vm=openvz:103
`
	reports = `2010-11-17T13:15:00Z event=report vm=xen:centos2 from=xen2 to=xen3 why="lbvm.conf:3 said report" rails="none was asked: a report moves nothing"
`
)

func historyBench(t *testing.T) *bench {
	b := ready(t, nil)
	b.write(t, "gfs/lbvm/log/migrate.log.1", rotatedJournal)
	b.write(t, "gfs/lbvm/log/migrate.log", journal)
	b.write(t, "gfs/lbvm/log/report.log", reports)
	return b
}

func TestHistoryFilters(t *testing.T) {
	b := historyBench(t)
	const (
		old, a, agent, moving, again, failed, report = "move xen:centos1 moved", "move xen:centos1 elsewhere", "agent xen:centos1 adopted",
			"move openvz:101 in flight", "restart openvz:102 restarted", "move openvz:103 failed", "report xen:centos2 "
	)
	for _, c := range []struct {
		args string
		want []string
	}{
		{"", []string{old, a, agent, moving, again, report, failed}},
		{"centos1", []string{old, a, agent}},
		{"101 xen:centos2", []string{moving, report}},
		{"--vm 101 --vm openvz:103", []string{moving, failed}},
		{"--vm openvz:centos1", nil},
		{"--node xen1", []string{old, a, moving, failed}},
		{"--node xen3", []string{a, agent, moving, report}}, // a ended there
		{"--node xen3 --node xen1 --kind moves", []string{old, a, moving, failed}},
		{"--kind moves", []string{old, a, moving, again, failed}},
		{"--kind reports", []string{report}},
		{"--kind agents --kind reports", []string{agent, report}},
		{"--outcome failed --outcome elsewhere", []string{a, failed}},
		{"--outcome restarted", []string{again}},
		{"--since 49m30s", []string{a, agent, moving, again, report, failed}}, // a was over since
		{"--since 45m", []string{agent, moving, again, report, failed}},
		{"--since 8d --until 1h", []string{old}},
		{"--since 7d", []string{a, agent, moving, again, report, failed}},
		{"--since 2010-11-17T13:09:00Z --until 2010-11-17T13:15:00Z", []string{moving, again, report}}, // which is under way
		{"--limit 2", []string{report, failed}},
		{"--limit 1 centos1", []string{agent}},
		{"--limit 99", []string{old, a, agent, moving, again, report, failed}},
	} {
		args := append([]string{"history", "-o", "json"}, strings.Fields(c.args)...)
		if code := b.lbm(args...); code != 0 {
			t.Fatalf("%s: %d %s", c.args, code, b.errors.String())
		}
		var got struct{ History []happening }
		if err := json.Unmarshal(b.out.Bytes(), &got); err != nil || got.History == nil {
			t.Fatalf("%s: %v\n%s", c.args, err, b.out.String())
		}
		var short []string
		for _, h := range got.History {
			short = append(short, h.Event+" "+h.VM+" "+h.Outcome)
		}
		if strings.Join(short, "|") != strings.Join(c.want, "|") {
			t.Errorf("%s:\n%s\nwant\n%s", c.args, strings.Join(short, "\n"), strings.Join(c.want, "\n"))
		}
	}
	if !strings.Contains(b.errors.String(), "1 lines of the journals") {
		t.Errorf("a line of another version: %q", b.errors.String())
	}
}

// Each record tells what was asked for and what the rails said, where somebody wrote it down.
func TestHistoryTellsTheRails(t *testing.T) {
	b := historyBench(t)
	if code := b.lbm("history", "-o", "json"); code != 0 {
		t.Fatal(b.errors.String())
	}
	var got struct{ History []happening }
	if err := json.Unmarshal(b.out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at                int
		why, asked, rails string // "null"
		seconds           float64
	}{
		{0, "asked", "asked", "null", 10},
		{1, "it runs elsewhere", "lbvm.conf:9 said migrate", "pass stale-data not-started; off cycle-guard", 60},
		{3, "asked", "asked", "null", -1},
		{4, "asked for", "asked for", "null", 30},
		{5, "lbvm.conf:3 said report", "lbvm.conf:3 said report", "none was asked: a report moves nothing", -1},
		{6, "its relocator died", "lbvm.conf:7 said migrate", "null", -1},
	} {
		h, rails, seconds := got.History[c.at], "null", -1.0
		if h.Rails != nil {
			rails = *h.Rails
		}
		if h.Seconds != nil {
			seconds = *h.Seconds
		}
		if h.Why != c.why || h.Asked != c.asked || rails != c.rails || seconds != c.seconds {
			t.Errorf("%d: %+v, rails %q, %g seconds", c.at, h, rails, seconds)
		}
	}
	if code := b.lbm("history"); code != 0 || strings.Contains(b.out.String(), "stale-data") || !strings.Contains(b.out.String(), "lbvm.conf:3 said report") {
		t.Errorf("%d\n%s", code, b.out.String())
	}
}
