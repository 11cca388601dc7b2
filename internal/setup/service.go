package setup

import (
	"errors"
	"path"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// The monitoring service as the manual names it.
const monitoringService, monitor = "monitoring", "lbvm1"

// service adds the balancer to the cluster's configuration, unless an lbvm resource is there under whatever name.
func (s *setup) service(conf cluster.Configuration) error {
	what := "cluster.conf"
	if conf.Kind == cluster.NamePacemaker {
		what = "CIB"
	}
	if conf.Balancer != "" {
		s.there(what, conf.Balancer)
		return nil
	}
	if conf.Kind == cluster.NamePacemaker {
		return s.resource()
	}
	o := ccs.Options{DryRun: s.o.DryRun}
	if id, err := s.h.Identity(); err == nil && id.Shared != "" {
		o.Lock = []string{s.h.Path(path.Join(id.Shared, "lbvm/lock/cluster.conf"))}
	}
	res, err := ccs.Update(s.ctx, s.h.Path(host.ClusterXML), o, func(d *ccs.Document) ([]ccs.Edit, error) {
		rm, err := d.Find("/cluster/rm")
		if err != nil {
			return nil, err
		}
		if len(rm) != 1 {
			return nil, errors.New("cluster.conf has no <rm>: rgmanager manages nothing here")
		}
		text := ccs.Markup("service", []ccs.Attr{{Name: "name", Value: monitoringService}, {Name: "autostart", Value: "1"}, {Name: "recovery", Value: "relocate"}},
			ccs.Markup("lbvm", []ccs.Attr{{Name: "name", Value: monitor}}))
		return []ccs.Edit{ccs.Insert{At: rm[0], Where: ccs.Into, XML: text}}, nil
	})
	if err != nil {
		return err
	}
	s.did("cluster.conf", "service:"+monitoringService, res.Diff)
	return nil
}

// resource adds the balancer to Pacemaker's configuration. The timeouts that an agent advertises are not used by
// Pacemaker: they stand in the operations.
func (s *setup) resource() error {
	op := func(name, interval, timeout string) string {
		return ccs.Markup("op", []ccs.Attr{{Name: "id", Value: monitor + "-" + name}, {Name: "name", Value: name}, {Name: "interval", Value: interval}, {Name: "timeout", Value: timeout}})
	}
	text := ccs.Markup("primitive", []ccs.Attr{{Name: "id", Value: monitor}, {Name: "class", Value: "ocf"}, {Name: "provider", Value: "lbvm"}, {Name: "type", Value: "lbvm"}},
		ccs.Markup("instance_attributes", []ccs.Attr{{Name: "id", Value: monitor + "-params"}},
			ccs.Markup("nvpair", []ccs.Attr{{Name: "id", Value: monitor + "-name"}, {Name: "name", Value: "name"}, {Name: "value", Value: monitor}})),
		ccs.Markup("operations", nil, op("start", "0", "20s"), op("stop", "0", "20s"), op("monitor", "60s", "10s")))
	if !s.o.DryRun {
		if err := cluster.AddResource(s.ctx, s.h, s.o.Run, text); err != nil {
			return err
		}
	}
	s.did("CIB", "primitive:"+monitor, text)
	return nil
}
