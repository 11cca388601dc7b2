package ccs_test

import (
	"fmt"

	"github.com/lbvm/lbvm/pkg/ccs"
)

func ExampleDocument_Apply() {
	d, err := ccs.Parse("cluster.conf", []byte(`<cluster name='demo'  config_version='7'>
  <rm/> <!-- nothing yet -->
</cluster>
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	rm, err := d.Find("/cluster/rm")
	if err != nil {
		fmt.Println(err)
		return
	}
	bump, err := d.Bump()
	if err != nil {
		fmt.Println(err)
		return
	}
	vz := ccs.Markup("openvz", []ccs.Attr{{Name: "name", Value: "101"}})
	d, err = d.Apply(ccs.Insert{At: rm[0], Where: ccs.Into, XML: vz}, bump)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(d.Bytes()))
	// Output:
	// <cluster name='demo'  config_version='8'>
	//   <rm>
	//     <openvz name='101'/>
	//   </rm> <!-- nothing yet -->
	// </cluster>
}

func ExampleDomain_Score() {
	d, err := ccs.Parse("cluster.conf", []byte(`<cluster><rm><failoverdomains>
		<failoverdomain name="east" ordered="1" restricted="1">
			<failoverdomainnode name="node1" priority="1"/>
			<failoverdomainnode name="node2" priority="2"/>
		</failoverdomain></failoverdomains></rm></cluster>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	east, _ := d.Domain("east")
	online := []string{"node1", "node2", "node3"}
	for _, node := range online {
		fmt.Println(node, east.Score(node, online, false, ""))
	}
	// Output:
	// node1 best
	// node2 better
	// node3 illegal
}
