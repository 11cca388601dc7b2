package ccs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lbvm/lbvm/pkg/ccs"
)

const demo = `<?xml version="1.0"?>
<cluster name="demo" config_version="7">
  <rm>
    <service name="web"   domain='east'>   <!-- do not touch -->
      <openvz name="101"/>
    </service>
    <service name="db" depend="service:web"/>
  </rm>
</cluster>
`

func ExampleDocument_Find() {
	d, err := ccs.Parse("cluster.conf", []byte(demo))
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := d.Find("//service[@name='web']")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range found {
		line, col := e.Position()
		domain, _ := e.Attr("domain")
		fmt.Printf("line %d, column %d: <%s> in the domain %s holds %d\n", line, col, e.Tag(), domain, len(e.Children()))
	}
	// Output:
	// line 4, column 5: <service> in the domain east holds 1
}

func ExampleSetAttr() {
	d, err := ccs.Parse("cluster.conf", []byte(demo))
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := d.Find("//service[@name='web']")
	if err != nil {
		fmt.Println(err)
		return
	}
	web := found[0]
	d, err = d.Apply(ccs.SetAttr{Element: web, Name: "domain", Value: "west"}, ccs.SetAttr{Element: web, Name: "recovery", Value: "relocate"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Split(string(d.Bytes()), "\n")[3])
	// Output:
	//     <service name="web"   domain='west' recovery='relocate'>   <!-- do not touch -->
}

func ExampleRename() {
	d, err := ccs.Parse("cluster.conf", []byte(demo))
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := d.Find("//service[@name='web']")
	if err != nil {
		fmt.Println(err)
		return
	}
	rename := ccs.Rename{Element: found[0], Name: "www"}
	all, err := rename.Mentions()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range all {
		fmt.Println(m)
	}
	if _, err := d.Apply(rename); err != nil {
		fmt.Println(err)
	}
	// Output:
	// line 4: <service> name="web" becomes "www"
	// line 7: <service> depend="service:web" becomes "service:www"
}

// One transaction on the file: a look first, then the same for good, but only if nobody else has changed the file
// in between.
func ExampleUpdate() {
	dir, err := os.MkdirTemp("", "ccs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "cluster.conf")
	if err := os.WriteFile(path, []byte(demo), 0o640); err != nil {
		fmt.Println(err)
		return
	}
	remove := func(d *ccs.Document) ([]ccs.Edit, error) {
		found, err := d.Find("//service[@name='db']")
		if err != nil || len(found) == 0 {
			return nil, errors.Join(errors.New("no service db"), err)
		}
		return []ccs.Edit{ccs.RemoveElement{Element: found[0]}}, nil
	}
	ctx := context.Background()
	look, err := ccs.Update(ctx, path, ccs.Options{DryRun: true}, remove)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(strings.ReplaceAll(look.Diff, dir+"/", ""))

	done, err := ccs.Update(ctx, path, ccs.Options{Base: look.Before, Holder: "the example"}, remove)
	fmt.Println("version", done.Old, "to", done.New, "written:", done.Written, err)
	fmt.Println("before:", filepath.Base(done.Backup))

	_, err = ccs.Update(ctx, path, ccs.Options{Base: look.Before}, remove)
	fmt.Println("changed since:", errors.Is(err, ccs.ErrChanged))
	// Output:
	// --- cluster.conf
	// +++ cluster.conf (new)
	// @@ -1,9 +1,8 @@
	//  <?xml version="1.0"?>
	// -<cluster name="demo" config_version="7">
	// +<cluster name="demo" config_version="8">
	//    <rm>
	//      <service name="web"   domain='east'>   <!-- do not touch -->
	//        <openvz name="101"/>
	//      </service>
	// -    <service name="db" depend="service:web"/>
	//    </rm>
	//  </cluster>
	// version 7 to 8 written: true <nil>
	// before: cluster.conf.lbvm-7
	// changed since: true
}

func ExampleParse() {
	_, err := ccs.Parse("cluster.conf", []byte("<cluster>\n  <rm log_level=\"5>\n  </rm>\n</cluster>\n"))
	fmt.Println(err)
	// Output:
	// cluster.conf:2:17: the quote of log_level is not closed
}
