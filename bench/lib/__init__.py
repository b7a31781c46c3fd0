"""What several benches share: servers, clients, speech, scores, reports and charts."""
