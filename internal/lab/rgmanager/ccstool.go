package rgmanager

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lbvm/lbvm/internal/run"
)

const updateFailed = "\nFailed to update config file.\n"

// ccsTool is one call of ccs_tool on the node n: update, as RHEL 5 has it.
func (m *Manager) ccsTool(n *node, args []string, dir string) run.Result {
	if len(args) != 2 || args[0] != "update" {
		return failure("Usage: ccs_tool update <xml file>\n(the lab plays update alone)")
	}
	if !m.isMember(n) {
		return failure("Unable to connect to the CCS daemon: Connection refused\n" + updateFailed)
	}
	m.mu.Lock()
	quorate, running := m.quorate, m.conf.version
	m.mu.Unlock()
	if !quorate {
		return failure("Unable to honor update request.  Cluster is not quorate.\n" + updateFailed)
	}
	path := n.find(args[1], dir)
	text, err := os.ReadFile(path)
	if err != nil {
		return failure("Unable to parse " + path + "\n" + updateFailed)
	}
	c, err := parseConfiguration(path, text)
	if err != nil {
		return failure(fmt.Sprintf("Unable to parse %s\n%v\n%s", path, err, updateFailed))
	}
	switch old, err := m.publish(c); {
	case err == errOld:
		return failure(fmt.Sprintf("Proposed updated config file does not have greater version number.\n  Current config_version :: %d\n  Proposed config_version:: %d\n%s",
			running, c.version, updateFailed))
	case err != nil:
		return failure(err.Error() + "\n" + updateFailed)
	default:
		m.log.event("config", kv("node", n.name), kv("from", fmt.Sprint(old)), kv("to", fmt.Sprint(c.version)), kv("by", "ccs_tool"))
		return said("Config file updated from version %d to %d\n\nUpdate complete.\n", old, c.version)
	}
}

// find is where a file named on a node lies: our own programs give paths that are joined with the root already.
func (n *node) find(name, dir string) string {
	if !filepath.IsAbs(name) {
		return filepath.Join(dir, name)
	}
	if strings.HasPrefix(name, n.root+"/") {
		return name
	}
	if below := filepath.Join(n.root, name); fileExists(below) {
		return below
	}
	return name
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
