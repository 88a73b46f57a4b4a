// Datasets: layouts, statistics, folds, leak report: everything known of samples before they are decoded.
