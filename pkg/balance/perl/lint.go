package perl

func lint(p *parser, r *resolver, root *node) {}
