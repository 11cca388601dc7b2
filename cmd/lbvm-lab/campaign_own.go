package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/lab"
)

// ownPrefix begins the names of the guests that a technology of an administrator's own drives, ownName is its name.
const (
	ownPrefix = "own"
	ownName   = "domain"
)

// ownDefinition drives the lab's Xen as an administrator would write it down.
const ownDefinition = `config /etc/xen/%{name};
disk /shared/images/%{name}.img;
status {
    # While a domain leaves or is saved it bears another name. One that arrives stands still and has done nothing.
    sh 'xm list "$VM_NAME" || xm list "migrating-$VM_NAME"';
    running  exit 0 output "^%{name} +[0-9]+ +[0-9]+ +[0-9]+ +[r-][b-]---- ";
    arriving exit 0 output "^%{name} +[0-9]+ +[0-9]+ +[0-9]+ +--p--- +0\\.0$";
    leaving  exit 0 output "^migrating-%{name} ";
    stopped  exit 1 3 error "^Error: Domain 'migrating-%{name}' does not exist";
}
start   xm create %{config};
stop    xm shutdown %{name};
destroy xm destroy %{name};
save    xm save %{name} %{image};
restore xm restore %{image};
migrate xm migrate --live %{name} %{target};
`

// ownTechnology gives some of the Xen guests to vmexec: on every node the definition and the cluster.conf that says so. In vms
// they have its type from then on.
func ownTechnology(l lab.Layout, d lab.Description, vms []lab.VM) error {
	for _, node := range d.Nodes {
		conf := filepath.Join(l.Root(node), host.ClusterXML)
		b, err := os.ReadFile(conf)
		if err != nil {
			return err
		}
		text := string(b)
		for i := range vms {
			name := vms[i].Name
			if !strings.HasPrefix(name, ownPrefix) {
				continue
			}
			vms[i].Type = vmexec.Type
			was := fmt.Sprintf("<xen name=%q/>", name)
			if strings.Count(text, was) != 1 {
				return fmt.Errorf("%s has not one %s", conf, was)
			}
			text = strings.Replace(text, was, fmt.Sprintf("<%s name=%q type=%q/>", vmexec.Type, name, ownName), 1)
		}
		dir := filepath.Join(l.Root(node), vmexec.Dir)
		err = errors.Join(os.WriteFile(conf, []byte(text), 0o640), os.MkdirAll(dir, 0o755))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, ownName), []byte(ownDefinition), 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
