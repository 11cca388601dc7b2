package conf

import "fmt"

// Load reads lbvm.conf at path and the file that its `resources` names, by read (which joins paths with the node's
// root). File or Resources are nil where their file has errors. The error is of reading.
func Load(read func(path string) ([]byte, error), path string) (*File, *Resources, []Diagnostic, error) {
	src, err := read(path)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	f, diags := Parse(path, src)
	if f == nil {
		return nil, nil, diags, nil
	}
	src, err = read(f.Paths.Resources)
	if err != nil {
		return f, nil, diags, fmt.Errorf("reading the resources that %s names: %w", path, err)
	}
	r, more := ParseResources(f.Paths.Resources, src)
	return f, r, append(diags, more...), nil
}
