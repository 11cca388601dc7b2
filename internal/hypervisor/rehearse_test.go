package hypervisor

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/run"
)

// A rehearsal tells the commands that the driver runs, in their order, and runs none of them: each verb is done once
// for real, by a tool that behaves, and once in a rehearsal.
func TestRehearsalTellsWhatIsRun(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name, typ string
		running   bool // before it
		frozen    bool
		do        func(d Driver, image string) error
		want      string // the verbs
		after     State
	}{
		{"boots", "openvz", false, false, func(d Driver, _ string) error { return d.Start(ctx, Guest{Name: "101"}) }, "start", Running},
		{"shuts down", "openvz", true, false, func(d Driver, _ string) error { return d.Shutdown(ctx, "101") }, "stop", Stopped},
		{"destroys", "openvz", true, false, func(d Driver, _ string) error { return d.Destroy(ctx, "101") }, "chkpnt stop", Stopped},
		{"restores", "openvz", false, false, func(d Driver, image string) error { return d.Restore(ctx, Guest{Name: "101"}, image) }, "restore", Running},
		{"freezes, dumps, kills", "openvz", true, false, func(d Driver, image string) error {
			x := d.(Checkpointer)
			for _, err := range []error{x.Suspend(ctx, "101"), x.Dump(ctx, "101", image+".new"), x.Kill(ctx, "101"), x.Unmount(ctx, "101")} {
				if err != nil {
					return err
				}
			}
			return nil
		}, "chkpnt chkpnt chkpnt umount", Stopped},
		{"freezes and thaws", "openvz", true, false, func(d Driver, image string) error {
			if err := d.(Checkpointer).Suspend(ctx, "101"); err != nil {
				return err
			}
			return d.(Thawer).Thaw(ctx, "101")
		}, "chkpnt chkpnt", Running},
		{"destroys a frozen one", "openvz", true, false, func(d Driver, image string) error {
			if err := d.(Checkpointer).Suspend(ctx, "101"); err != nil {
				return err
			}
			return d.Destroy(ctx, "101")
		}, "chkpnt chkpnt umount", Stopped},
		{"boots", "xen", false, false, func(d Driver, _ string) error { return d.Start(ctx, Guest{Name: "w", Config: "/etc/xen/w"}) }, "create", Running},
		{"shuts down", "xen", true, false, func(d Driver, _ string) error { return d.Shutdown(ctx, "w") }, "shutdown", Absent},
		{"destroys", "xen", true, false, func(d Driver, _ string) error { return d.Destroy(ctx, "w") }, "destroy", Absent},
		{"thaws", "xen", true, true, func(d Driver, _ string) error { return d.(Thawer).Thaw(ctx, "w") }, "unpause", Running},
		{"saves", "xen", true, false, func(d Driver, image string) error { return d.(Saver).Save(ctx, "w", image+".new") }, "save", Absent},
		{"restores", "xen", false, false, func(d Driver, image string) error { return d.Restore(ctx, Guest{Name: "w"}, image) }, "restore", Running},
		{"pushes", "xen", true, false, func(d Driver, _ string) error { return d.(Live).Migrate(ctx, "w", "node2") }, "migrate", Absent},
		{"boots", "kvm", false, false, func(d Driver, _ string) error { return d.Start(ctx, Guest{Name: "w", Config: "/shared/w.xml"}) }, "create", Running},
		{"shuts down", "kvm", true, false, func(d Driver, _ string) error { return d.Shutdown(ctx, "w") }, "shutdown", Absent},
		{"destroys", "kvm", true, false, func(d Driver, _ string) error { return d.Destroy(ctx, "w") }, "destroy", Absent},
		{"saves", "kvm", true, false, func(d Driver, image string) error { return d.(Saver).Save(ctx, "w", image+".new") }, "save", Absent},
		{"restores", "kvm", false, false, func(d Driver, image string) error { return d.Restore(ctx, Guest{Name: "w"}, image) }, "restore", Running},
		{"pushes", "kvm", true, false, func(d Driver, _ string) error { return d.(Live).Migrate(ctx, "w", "node2") }, "migrate", Absent},
	} {
		vm := map[string]string{"openvz": "101", "xen": "w", "kvm": "w"}[c.typ]
		var told []string
		var states [2]State
		var lists [2][]string
		for i, rehearse := range []bool{false, true} {
			tool := &Rehearsal{VM: vm, running: c.running && !c.frozen, mounted: c.running}
			play := map[string]player{"openvz": playVZ, "xen": playXen, "kvm": playKVM}[c.typ]
			s := newStage(t, func(argv []string) run.Result {
				if c.frozen && argv[1] == "list" && !tool.running {
					return says("Name ID Mem(MiB) VCPUs State Time(s)\nDomain-0 0 512 1 r----- 9.0\nw 3 64 1 --p--- 9.0\n")
				}
				answer, ok := play(tool, argv)
				if !ok {
					t.Errorf("%s: %q", c.name, argv)
				}
				return answer
			})
			if rehearse {
				s.tools.Rehearsal = &Rehearsal{VM: vm, Say: func(argv []string) {
					told = append(told, strings.ReplaceAll(strings.Join(argv, " "), s.root+"/usr/sbin/", ""))
				}}
			}
			image := s.file("/image", "")
			d := s.driver(c.typ)
			if err := c.do(d, image); err != nil {
				t.Errorf("%s, %s, rehearsal %v: %v", c.typ, c.name, rehearse, err)
			}
			state, err := d.State(ctx, vm)
			if err != nil {
				t.Errorf("%s, %s, rehearsal %v: %v", c.typ, c.name, rehearse, err)
			}
			states[i] = state
			if lists[i] = s.changes(); rehearse {
				if len(lists[i]) > 0 {
					t.Errorf("%s, %s: the rehearsal ran %q", c.typ, c.name, lists[i])
				}
				for _, line := range told {
					lists[i] = append(lists[i], strings.ReplaceAll(line, s.root, ""))
				}
			}
		}
		var verbs []string
		for _, line := range lists[0] {
			verbs = append(verbs, strings.Fields(strings.Replace(line, " -c qemu:///system", "", 1))[1])
		}
		if strings.Join(verbs, " ") != c.want || !slices.Equal(lists[0], lists[1]) {
			t.Errorf("%s, %s: it ran %q, and the rehearsal told %q", c.typ, c.name, lists[0], lists[1])
		}
		if states[0] != c.after || states[1] != c.after {
			t.Errorf("%s, %s: %v, want %s", c.typ, c.name, states, c.after)
		}
	}
}

// A foreign dump is moved away before a start, but not in a rehearsal.
func TestRehearsalLeavesForeignDumps(t *testing.T) {
	s := newStage(t, func([]string) run.Result { return says("CTID 101 exist unmounted down suspended\n") })
	dump := s.file("/vz/dump/Dump.101", "memory")
	s.tools.Rehearsal = &Rehearsal{VM: "101"}
	if err := s.driver("openvz").Start(context.Background(), Guest{Name: "101"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dump); err != nil || len(s.notes) != 1 {
		t.Errorf("%v, notes %q", err, s.notes)
	}
}
