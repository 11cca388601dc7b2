// Package parsed holds the metadata of our agents as ocf.ParseMetadata reads it, without the texts for humans: to read
// the XML would cost each status check a fiftieth of its time. parsed.go is made of the XML files by `go generate`;
// a test fails where it is stale.
package parsed

//go:generate env UPDATE=1 go test -count=1 -run ^TestParsedIsCurrent$ .
