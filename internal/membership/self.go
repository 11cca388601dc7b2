package membership

import (
	"context"
	"fmt"
	"strings"
)

// Self is what cman calls this node, where it answers: "Node name" of cman_tool status.
func (c *cman) Self(ctx context.Context) (string, error) {
	answer, err := c.tool(ctx, "cman_tool", "status")
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(string(answer), "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "Node name" && strings.TrimSpace(value) != "" {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("%w: cman_tool status names no node", ErrAnswer)
}
