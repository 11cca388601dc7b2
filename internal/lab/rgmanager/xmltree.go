package rgmanager

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// xmlNode is an element of a document without name spaces; text is of no interest to rgmanager.
type xmlNode struct {
	name     string
	attrs    []xmlAttr
	children []*xmlNode
}

type xmlAttr struct{ name, value string }

func (n *xmlNode) attr(name string) (string, bool) {
	for _, a := range n.attrs {
		if a.name == name {
			return a.value, true
		}
	}
	return "", false
}

func (n *xmlNode) get(name string) string {
	v, _ := n.attr(name)
	return v
}

func (n *xmlNode) all(name string) []*xmlNode {
	var out []*xmlNode
	for _, c := range n.children {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

// parseXML reads one document as strictly as xmlParseMemory does: nothing stands before it, nothing but white
// space and comments behind it.
func parseXML(src []byte) (*xmlNode, error) {
	if len(src) == 0 || src[0] != '<' {
		return nil, errors.New("the document does not begin with <")
	}
	dec := xml.NewDecoder(bytes.NewReader(src))
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var root *xmlNode
	var open []*xmlNode
	for {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			n := &xmlNode{name: t.Name.Local}
			if t.Name.Space != "" {
				n.name = t.Name.Space + ":" + t.Name.Local // no name of ours
			}
			for _, a := range t.Attr {
				n.attrs = append(n.attrs, xmlAttr{a.Name.Local, a.Value})
			}
			switch {
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.children = append(parent.children, n)
			case root != nil:
				return nil, fmt.Errorf("a second root element <%s>", n.name)
			default:
				root = n
			}
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) == 0 && len(bytes.TrimSpace(t)) > 0 {
				return nil, fmt.Errorf("text outside of the document: %q", bytes.TrimSpace(t))
			}
		}
	}
	if root == nil {
		return nil, errors.New("the document holds no element")
	}
	return root, nil
}
