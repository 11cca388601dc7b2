package ccs

import "strings"

// Type is what the cluster manager knows of a type of resource from its agent's metadata.
type Type struct {
	Primary  string   // the attribute that names a resource of this type
	Required []string // without one of these, or without Primary, the manager drops the element and all behind it
	Unique   []string // no two of this type may have the same value; Primary always is unique
}

// Rules are the types that the cluster's agents define, by name.
type Rules map[string]Type

// DefaultRules are the types that come with the cluster suite and ours. Types that are not in the rules are not checked.
func DefaultRules() Rules {
	named := Type{Primary: "name"}
	ours := Type{Primary: "name", Required: []string{"name"}}
	return Rules{
		"service": ours, "openvz": ours, "xen": ours, "kvm": ours, "vmexec": ours, "lbvm": ours, "vm": named,
		"script": {Primary: "name", Required: []string{"file"}, Unique: []string{"file"}},
		"ip":     {Primary: "address"}, "fs": named, "clusterfs": named, "netfs": named, "lvm": named,
	}
}

func (r Rules) find(tag string) (Type, bool) {
	if t, ok := r[tag]; ok {
		return t, true
	}
	for name, t := range r { // the cluster manager compares the names of types so
		if strings.EqualFold(name, tag) {
			return t, true
		}
	}
	return Type{}, false
}

// primaryOf is the attribute that names a resource. Of the types in common use only one differs.
func primaryOf(tag string) string {
	if tag == "ip" {
		return "address"
	}
	return "name"
}
