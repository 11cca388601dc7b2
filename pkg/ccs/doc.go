// Package ccs reads and edits cluster.conf, the configuration of a Red Hat cluster.
//
// Administrators write that file by hand, comment it and keep it under version control,
// and one bad element makes the cluster manager stop services that nobody touched. So a
// Document keeps the bytes as they are: an edit splices into them and changes what it
// means to change and nothing else. The new bytes are read again and compared with what
// was meant, and once more by another reader before a file is written. A tree (etree) is
// made when somebody queries it, and never writes.
//
// SetAttr, RemoveAttr, Insert, RemoveElement and Rename are the edits. What is new takes
// indentation, quotes and line ends from its neighbours.
//
// Start with Load or Parse. Nodes, Domains and Services are views in the words of the
// field. Domain.Score is the cluster manager's answer to "may it run there". Apply makes
// edits on a document in memory, Update makes them on the file: under a lock, with the
// version raised by one, checked, atomically, the file before kept.
//
// A service more, and what that would do:
//
//	d, err := ccs.Load("/etc/cluster/cluster.conf")
//	...
//	rm, err := d.Find("/cluster/rm") // the elements that a path selects
//	...
//	after, err := d.Apply(ccs.Insert{At: rm[0], XML: `<service name="web"><openvz name="101"/></service>`})
//	...
//	for _, change := range ccs.Delta(d.ResourceTree(nil), after.ResourceTree(nil)) {
//		fmt.Println(change) // START service:web, with openvz:101: new; ...
//	}
//
// Apply leaves config_version as it is (Document.Bump raises it) and checks nothing that Check does; Update does both.
//
// What the cluster manager makes of the file is told by pure functions, with its
// surprises: LoadRules reads the types from the agents' metadata, Document.ResourceTree
// builds the groups and what belongs to each, Delta says what a new version would stop,
// restart, start, reconfigure or leave, and Document.Check finds what does harm, with the
// place and the reason. DefaultRules serve where no agents are installed.
//
// The package publishes nothing to the cluster and runs no program.
package ccs
