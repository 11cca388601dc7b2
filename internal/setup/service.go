package setup

import (
	"errors"
	"path"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// The monitoring service as the manual names it.
const monitoringService, monitor = "monitoring", "lbvm1"

// service adds the monitoring service to cluster.conf, unless an lbvm resource is there under whatever name.
func (s *setup) service(doc *ccs.Document) error {
	for _, svc := range doc.Services() {
		if len(svc.VMs("lbvm")) > 0 {
			s.there("cluster.conf", svc.ID())
			return nil
		}
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
