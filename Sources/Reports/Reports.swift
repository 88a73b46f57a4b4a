// Reports: CSV tables, figures and the HTML page, from score files and run facts.
