package ccs

import (
	"bytes"
	"strings"
)

type kind uint8

const (
	kindElement kind = iota
	kindText         // also a CDATA section
	kindComment
	kindInstruction
)

// item is one thing that an element holds.
type item struct {
	kind kind
	text string  // as it is meant: references resolved, line ends as \n
	el   Element // of an element
	at   int     // of an element that a plan puts in: where its text goes; else -1
}

// content lists what an element holds, in its order.
func (e Element) content() []item {
	n := e.n
	if n.empty() {
		return nil
	}
	out := make([]item, 0, 2*len(n.children)+1)
	at := n.open.end
	for _, c := range n.children {
		out = e.d.between(out, at, c.open.start)
		out = append(out, item{kind: kindElement, el: Element{e.d, c}, at: -1})
		at = c.end()
	}
	return e.d.between(out, at, n.close.start)
}

// between adds what stands in a stretch without elements. The scanner has found its markup sound.
func (d *Document) between(out []item, at, end int) []item {
	for at < end {
		b := d.src[at:end]
		switch {
		case b[0] != '<':
			n := bytes.IndexByte(b, '<')
			if n < 0 {
				n = len(b)
			}
			out = append(out, item{kind: kindText, text: decodeText(b[:n], d.latin1), at: -1})
			at += n
		case bytes.HasPrefix(b, []byte("<!--")):
			n := len("<!--") + bytes.Index(b[len("<!--"):], []byte("-->"))
			out = append(out, item{kind: kindComment, text: d.verbatim(b[len("<!--"):n]), at: -1})
			at += n + len("-->")
		case bytes.HasPrefix(b, []byte("<?")):
			n := bytes.Index(b, []byte("?>"))
			out = append(out, item{kind: kindInstruction, text: d.verbatim(b[len("<?"):n]), at: -1})
			at += n + len("?>")
		default:
			n := bytes.Index(b, []byte("]]>"))
			out = append(out, item{kind: kindText, text: d.verbatim(b[len("<![CDATA["):n]), at: -1})
			at += n + len("]]>")
		}
	}
	return out
}

func (d *Document) verbatim(b []byte) string {
	return lineEnds(string(toUTF8(b, d.latin1)))
}

func lineEnds(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

func (i item) blank() bool { return i.kind == kindText && strings.Trim(i.text, " \t\r\n") == "" }

func hasText(items []item) bool {
	for _, i := range items {
		if i.kind == kindText && !i.blank() {
			return true
		}
	}
	return false
}

// said gives what items say: pieces of text that touch are one, and its white space is levelled; white space alone
// says nothing.
func said(items []item) []item {
	out := make([]item, 0, len(items))
	var run strings.Builder
	flush := func() {
		if s := strings.Join(strings.Fields(run.String()), " "); s != "" {
			out = append(out, item{kind: kindText, text: s})
		}
		run.Reset()
	}
	for _, i := range items {
		if i.kind == kindText {
			run.WriteString(i.text)
			continue
		}
		flush()
		out = append(out, i)
	}
	flush()
	return out
}
