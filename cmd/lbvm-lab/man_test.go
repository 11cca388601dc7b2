package main

import (
	"testing"

	"github.com/lbvm/lbvm/internal/manpage"
	"github.com/lbvm/lbvm/internal/manpage/pagetest"
)

//go:generate env UPDATE=1 go test -count=1 -run ^TestManPageIsCurrent$ .

func TestManPageIsCurrent(t *testing.T) {
	pagetest.Current(t, "lbvm-lab.8", manpage.Command(app{}.cli(), 8, "lbm(8)", "lblog(8)", "lbmonitor(8)"))
}
