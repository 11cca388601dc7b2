package ccs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// oracle makes edits on a tree of etree, which knows nothing of bytes, and compares it with what etree reads in the
// edited bytes. It shares no code with the edits or with the check that Apply makes.
type oracle struct {
	want  *etree.Document
	twins []*etree.Element
	last  map[string]*etree.Element // the last that was put behind an element
	order map[string][]int          // ids of what was put to one place, in their order
}

func newOracle(src []byte, latin1 bool) (*oracle, error) {
	o := &oracle{last: map[string]*etree.Element{}, order: map[string][]int{}}
	var err error
	if o.want, err = readByEtree(src, latin1); err != nil {
		return nil, err
	}
	o.twins = elements(&o.want.Element, nil)
	return o, nil
}

func readByEtree(src []byte, latin1 bool) (*etree.Document, error) {
	d := etree.NewDocument()
	return d, d.ReadFromBytes(toUTF8(src, latin1))
}

func (o *oracle) make(e Edit) error {
	switch e := e.(type) {
	case SetAttr:
		o.twins[e.Element.n.index].CreateAttr(e.Name, e.Value)
	case RemoveAttr:
		o.twins[e.Element.n.index].RemoveAttr(e.Name)
	case RemoveElement:
		t := o.twins[e.Element.n.index]
		t.Parent().RemoveChild(t)
	case Rename:
		all, err := e.Mentions()
		if err != nil {
			return err
		}
		for _, m := range all {
			o.twins[m.Element.n.index].CreateAttr(m.Attr, m.New)
		}
	case Insert:
		part, err := readByEtree([]byte(e.XML), false)
		if err != nil {
			return err
		}
		return o.insert(o.twins[e.At.n.index], e.Where, part.Root().Copy(), fmt.Sprint(e.At.n.index, e.Where))
	default:
		return fmt.Errorf("the oracle does not know %T", e)
	}
	return nil
}

func (o *oracle) insert(t *etree.Element, where Where, part *etree.Element, place string) error {
	id, err := strconv.Atoi(part.SelectAttrValue("lbvm-id", ""))
	if err != nil {
		return err
	}
	o.order[place] = append(o.order[place], id)
	switch where {
	case Into:
		t.AddChild(part)
	case Before:
		t.Parent().InsertChildAt(t.Index(), part)
	case After:
		behind := t
		if l := o.last[place]; l != nil {
			behind = l
		}
		o.last[place] = part
		t.Parent().InsertChildAt(behind.Index()+1, part)
	}
	return nil
}

// compare gives the first difference to the edited bytes, "" if there is none. Without comments all elements must
// stand in their order, where new ones between two old ones count as a set, but those of one place in theirs. Without
// the new elements all comments must be where they were.
func (o *oracle) compare(out []byte, latin1 bool) string {
	got, err := readByEtree(out, latin1)
	if err != nil {
		return err.Error()
	}
	at := map[int]int{}
	for i, e := range elements(&got.Element, nil) {
		if id, err := strconv.Atoi(e.SelectAttrValue("lbvm-id", "")); err == nil {
			at[id] = i
		}
	}
	for place, ids := range o.order {
		for i := 1; i < len(ids); i++ {
			if at[ids[i]] < at[ids[i-1]] {
				return "two new elements of one place (" + place + ") changed their order"
			}
		}
	}
	for _, without := range []string{"comments", "new elements"} {
		if a, b := outlineOf(&o.want.Element, without), outlineOf(&got.Element, without); a != b {
			return fmt.Sprintf("without %s it is to read\n%s\nand reads\n%s", without, a, b)
		}
	}
	return ""
}

func outlineOf(e *etree.Element, without string) string {
	o := etreeOutline{without: without}
	o.content(e)
	return o.b.String()
}

// etreeOutline writes a tree so that two that say the same look the same.
type etreeOutline struct {
	without string
	b, text strings.Builder
	fresh   []string
}

// flush writes the new elements and the text that were waiting for what comes next.
func (o *etreeOutline) flush() {
	slices.Sort(o.fresh)
	for _, f := range o.fresh {
		o.b.WriteString(f)
	}
	o.fresh = nil
	if s := strings.Join(strings.Fields(o.text.String()), " "); s != "" {
		fmt.Fprintf(&o.b, "text %q\n", s)
	}
	o.text.Reset()
}

func (o *etreeOutline) content(e *etree.Element) {
	for _, t := range e.Child {
		switch t := t.(type) {
		case *etree.CharData:
			if strings.TrimSpace(t.Data) != "" && len(o.fresh) > 0 {
				o.flush()
			}
			o.text.WriteString(t.Data)
		case *etree.Comment:
			if o.without != "comments" {
				o.flush()
				fmt.Fprintf(&o.b, "comment %q\n", levelCR(t.Data))
			}
		case *etree.ProcInst:
			o.flush()
			fmt.Fprintf(&o.b, "instruction %q %q\n", t.Target, levelCR(t.Inst))
		case *etree.Directive:
			o.flush()
			fmt.Fprintf(&o.b, "directive %q\n", t.Data)
		case *etree.Element:
			o.element(t)
		}
	}
	o.flush()
}

func (o *etreeOutline) element(t *etree.Element) {
	isNew := t.SelectAttr("lbvm-id") != nil
	if isNew && o.without == "new elements" {
		return
	}
	if !isNew || strings.TrimSpace(o.text.String()) != "" {
		o.flush()
	}
	s := "<" + t.FullTag()
	for _, a := range t.Attr {
		s += fmt.Sprintf(" %s=%q", a.FullKey(), levelled(strings.ReplaceAll(a.Value, "\r\n", "\n")))
	}
	s += ">\n" + strings.ReplaceAll(outlineOf(t, o.without), "\n", "\n ") + "</>\n"
	if isNew {
		o.fresh = append(o.fresh, s)
	} else {
		o.b.WriteString(s)
	}
}
