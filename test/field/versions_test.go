package field

import "testing"

// Each version of xm and xl prints and answers in its own way, and the agents find that out by themselves: a VM is started,
// looked at, passed by image, pushed, stopped cold, and looked for where it is not.
func TestEveryVersionOfXen(t *testing.T) {
	for tool, versions := range map[string][]string{"xm": {"3.0.3", "3.1", "3.2", "3.4", "4.4"}, "xl": {"4.1", "4.6", "4.7", "4.17"}} {
		for _, version := range versions {
			t.Run(tool+" "+version, func(t *testing.T) {
				w := newWorld(t, "xen", tool)
				for _, node := range []string{"a", "b"} {
					w.File("nodes/"+node+"/etc/lab-"+tool+"-version", version)
				}
				w.wants(7, "a", "status")
				w.wants(0, "a", "stop")
				w.wants(0, "a", "start")
				w.wants(0, "a", "status")
				w.wants(7, "b", "status")
				w.wants(0, "a", "stop")
				w.wantRecord("suspended")
				w.wants(0, "b", "start")
				w.wants(0, "b", "migrate a")
				w.wants(0, "a", "status")
				w.wantRecord("running a")
				w.wants(0, "b", "stop")
				w.AwaitLines("xen", "vm1", 2)
				w.alone(0)
				w.wants(0, "a", "stop", "OCF_RESKEY_on_stop=shutdown")
				w.wantRecord("down")
				if left := w.rows("a", tool); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
			})
		}
	}
}
