package ccs

import "bytes"

// This file steps over markup that holds no elements: comments, processing instructions, the document type.

// until moves behind the next occurrence of end.
func (s *scanner) until(end, what string) *scanError {
	i := bytes.Index(s.src[s.pos:], []byte(end))
	if i < 0 {
		return s.fail(s.pos, "%s is not closed: %s is missing", what, end)
	}
	s.pos += i + len(end)
	return nil
}

func (s *scanner) comment() *scanError {
	start := s.pos
	s.pos += len("<!--")
	if i := bytes.Index(s.src[s.pos:], []byte("--")); i >= 0 && !bytes.HasPrefix(s.src[s.pos+i:], []byte("-->")) {
		return s.fail(s.pos+i, "`--` may not stand within a comment")
	}
	if err := s.until("-->", "comment"); err != nil {
		err.at = start
		return err
	}
	return nil
}

func (s *scanner) instruction() *scanError {
	start := s.pos
	s.pos += len("<?")
	name, err := s.readName()
	if err != nil {
		return err
	}
	if name == "" {
		return s.fail(start, "processing instruction without a name")
	}
	if bytes.EqualFold([]byte(name), []byte("xml")) {
		return s.fail(start, "the XML declaration stands only at the very beginning of the file")
	}
	if !s.skipSpace() && !s.has("?>") {
		return s.fail(start, "white space is missing in the processing instruction %s", name)
	}
	if err := s.until("?>", "processing instruction"); err != nil {
		err.at = start
		return err
	}
	return nil
}

// doctype steps over a document type with its internal subset. What it declares is not used: an entity of its own is refused where it is used.
func (s *scanner) doctype() *scanError {
	start := s.pos
	if s.root != nil {
		return s.fail(start, "DOCTYPE must stand before the root element")
	}
	if s.doctypes++; s.doctypes > 1 {
		return s.fail(start, "a second DOCTYPE")
	}
	s.pos += len("<!DOCTYPE")
	blank := s.skipSpace()
	if name, err := s.readTagName(); err != nil {
		return err
	} else if !blank || name == "" {
		return s.fail(start, "DOCTYPE without a name")
	}
	depth := 1
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case s.has("<!--"):
			if err := s.comment(); err != nil {
				return err
			}
			continue
		case c == '"' || c == '\'':
			i := bytes.IndexByte(s.src[s.pos+1:], c)
			if i < 0 {
				return s.fail(s.pos, "quote is not closed")
			}
			s.pos += i + 1
		case c == '<':
			depth++
		case c == '>':
			if depth--; depth == 0 {
				s.pos++
				return nil
			}
		}
		s.pos++
	}
	return s.fail(start, "DOCTYPE is not closed")
}
