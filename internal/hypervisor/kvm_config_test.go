package hypervisor

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

const kvmXML = `<?xml version="1.0"?>
<!-- a guest of ours: <name>not this one</name> -->
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>web1</name>
  <uuid>11111111-2222-4333-8444-555555555501</uuid>
  <metadata><x:y xmlns:x="z"><name>nor this</name></x:y></metadata>
  <memory unit='MiB'>512</memory>
  <currentMemory>1</currentMemory>
  <os><type arch='x86_64'>hvm</type><kernel>/boot/vmlinuz</kernel><initrd>/boot/initrd</initrd></os>
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <emulator>/usr/bin/kvm</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='/gfs/web1.img'/><target dev='vda'/></disk>
    <disk type="block" device="disk"><source dev="/dev/vg/web1"/><target dev="vdb"/></disk>
    <disk type='file' device='cdrom'><source file='/gfs/cd.iso'/><readonly/></disk>
    <disk type='file' device='cdrom'><source file='/gfs/other.iso' startupPolicy='optional'/><readonly/></disk>
    <disk type='network' device='disk'><source protocol='rbd' name='pool/web1'/></disk>
    <disk type='file' device='cdrom'><target dev='hdc'/></disk>
    <interface type='bridge'><source bridge='br0'/></interface>
    <interface type='network'><source network='lan'/></interface>
    <interface type='user'/>
  </devices>
</domain>
`

type kvmConfigCase struct {
	name, text string
	want       string // "" is an error that says err
	err        string
}

func kvmConfigCases() []kvmConfigCase {
	with := func(old, new string) string {
		if !strings.Contains(kvmXML, old) {
			panic(old)
		}
		return strings.Replace(kvmXML, old, new, 1)
	}
	const good = "web1 536870912 /gfs/web1.img /dev/vg/web1*"
	return []kvmConfigCase{
		{"as it should be", kvmXML, good, ""},
		{"a byte order mark", "\ufeff" + kvmXML, good, ""},
		{"entities", with("/gfs/web1.img", "/gfs/a&amp;b&#x20;&#39;&lt;.img"), "web1 536870912 /gfs/a&b '<.img /dev/vg/web1*", ""},
		{"CDATA", with("<name>web1</name>", "<name><![CDATA[web1]]></name>"), good, ""},
		{"KiB", with("<memory unit='MiB'>512<", "<memory>1048576<"), strings.Replace(good, "536870912", "1073741824", 1), ""},
		{"GB", with("unit='MiB'>512<", "unit='GB'>1<"), strings.Replace(good, "536870912", "1000000000", 1), ""},
		{"G", with("unit='MiB'>512<", "unit='G'>1<"), strings.Replace(good, "536870912", "1073741824", 1), ""},
		{"bytes", with("unit='MiB'>512<", "unit='bytes'>4096<"), strings.Replace(good, "536870912", "4096", 1), ""},
		{"a disk that is read only", with("<source file='/gfs/web1.img'/>", "<source file='/gfs/web1.img'/><readonly/>"), "web1 536870912 /dev/vg/web1*", ""},
		{"no uuid", with("<uuid>11111111-2222-4333-8444-555555555501</uuid>", ""), "", "add below <name> the line <uuid>"},
		{"a uuid elsewhere", with("<uuid>11111111-2222-4333-8444-555555555501</uuid>", "<metadata><uuid>11111111-2222-4333-8444-555555555501</uuid></metadata>"), "", "there is no <uuid>"},
		{"an empty uuid", with("11111111-2222-4333-8444-555555555501", " "), "", "there is no <uuid>"},
		{"a wrong uuid", with("555555555501", "5555"), "", "is no UUID"},
		{"another name", with("<name>web1<", "<name>web2<"), "", `its name is "web2"`},
		{"no name", with("<name>web1</name>", ""), "", "there is no <name>"},
		{"it is restarted", with("<on_poweroff>destroy<", "<on_poweroff>restart<"), "", "on_poweroff"},
		{"it is preserved", with("<on_poweroff>destroy<", "<on_poweroff>preserve<"), "", "on_poweroff"},
		{"no memory", with("<memory unit='MiB'>512</memory>", ""), "", "no amount of memory"},
		{"a negative memory", with(">512<", ">-512<"), "", "no amount of memory"},
		{"too much memory", with("unit='MiB'>512<", "unit='TiB'>65<"), "", "no amount of memory"},
		{"a unit of tomorrow", with("unit='MiB'", "unit='MMiB'"), "", "no amount of memory"},
		{"no unit", with("unit='MiB'", "unit=''"), "", "no amount of memory"},
		{"a disk that is nowhere", with("/gfs/web1.img", "web1.img"), "", "not an absolute path"},
		{"no domain", "<network><name>web1</name></network>", "", "not <domain>"},
		{"cut off", strings.TrimSuffix(kvmXML, "</domain>\n"), "", "is not closed"},
		{"crossed", with("</devices>\n</domain>", "</domain>\n</devices>"), "", "closes nothing"},
		{"two roots", kvmXML + kvmXML[22:], "", "a second element"},
		{"a DOCTYPE", "<!DOCTYPE d [<!ENTITY x SYSTEM \"/etc/shadow\">]>" + kvmXML[22:], "", "not for a domain"},
		{"an entity that is not known", with("web1.img", "&x;.img"), "", "entity"},
		{"a comment without an end", kvmXML + "<!-- ", "", "without"},
		{"text behind it", kvmXML + "x", "", "outside"},
		{"nothing", "", "", "no element"},
		{"not UTF-8", with("web1.img", "\xff.img"), "", "UTF-8"},
		{"deep", strings.Repeat("<a>", 100), "", "in each other"},
		{"an attribute twice", with("type='kvm'", "type='kvm' type='xen'"), "", "twice"},
		{"no quotation marks", with("type='kvm'", "type=kvm"), "", "quotation marks"},
		{"glued", with("type='kvm' xmlns", "type='kvm'xmlns"), "", "not written"},
	}
}

func TestKVMConfig(t *testing.T) {
	for _, c := range kvmConfigCases() {
		s := newStage(t, nil)
		file := s.file(kvmConfigs+"/web1.xml", c.text)
		g, err := s.driver("kvm").Guest(context.Background(), "web1", nil)
		if c.want == "" {
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "web1.xml") {
				t.Errorf("%s: %v, want %q", c.name, err, c.err)
			}
			continue
		}
		got := fmt.Sprint(g.Name, " ", g.Mem)
		for _, w := range g.Witnesses {
			got += " " + strings.TrimPrefix(w.Path, s.root)
			if w.Block {
				got += "*"
			}
		}
		if err != nil || got != c.want || g.Config != file {
			t.Errorf("%s: %q %s, %v; want %q", c.name, got, g.Config, err, c.want)
		}
	}
}

// virsh undefine deletes what lies below /etc/libvirt, by whatever name it is reached.
func TestKVMConfigIsNotLibvirts(t *testing.T) {
	s := newStage(t, nil)
	s.file("/etc/libvirt/qemu/web1.xml", kvmXML)
	s.file("/shared/kvm/web1.xml", kvmXML)
	s.link("/etc/libvirt/qemu", "/etc/link")
	d := s.driver("kvm")
	for path, ok := range map[string]bool{"/etc/libvirt/qemu": false, "/etc/link": false, "/etc/libvirt": false, "qemu": false, "/shared/kvm": true, "/none": false} {
		if _, err := d.Guest(context.Background(), "web1", map[string]string{"path": path}); (err == nil) != ok || !ok && !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := d.Guest(context.Background(), "web2", map[string]string{"path": filepath.Clean("/shared/kvm")}); !errors.Is(err, ErrConfig) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// sameXML holds an element against what encoding/xml reads of the same text.
func sameXML(t *testing.T, text []byte, root *element) {
	t.Helper()
	var want []string
	dec := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	dec.Strict = true
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		tok, err := dec.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return // it knows more rules of XML than are needed here
		}
		if e, ok := tok.(xml.StartElement); ok {
			name := e.Name.Local
			if e.Name.Space != "" {
				name = e.Name.Space + ":" + name
			}
			attrs := []string{}
			for _, a := range e.Attr {
				n := a.Name.Local
				if a.Name.Space != "" {
					n = a.Name.Space + ":" + n
				}
				attrs = append(attrs, fmt.Sprintf("%s=%q", n, a.Value))
			}
			sort.Strings(attrs)
			want = append(want, name+" "+strings.Join(attrs, " "))
		}
	}
	var got []string
	var walk func(e *element)
	walk = func(e *element) {
		attrs := []string{}
		for n, v := range e.attrs {
			// Both leave it to nobody to see the difference between ways to end a line.
			attrs = append(attrs, fmt.Sprintf("%s=%q", n, strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(v)))
		}
		sort.Strings(attrs)
		got = append(got, e.name+" "+strings.Join(attrs, " "))
		for _, k := range e.kids {
			walk(k)
		}
	}
	walk(root)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q\nwas read as\n%s\nand is\n%s", text, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
