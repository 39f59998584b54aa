"""What is drawn of a store.

plots            `plot`: from the tidy frame to a figure; which plots there are
plot_page        a block of panels per section, legend and notes, shared by all plots
plot_style       how a method looks in every plot
widths           the widths of a figure
axis_scales      the scales of the axes and their ticks
accuracy_plot    accuracy over the rate
difference_plot  freeze − prune over the rate, a panel per criterion
gradient_plot    a figure over the epochs: a panel per rate, a line per method
rank_plot        the critical-difference diagram of mean ranks
scale_plot       accuracy over the scale of the background: a panel per criterion, a line per rate
start_plot       the largest rate within a margin of dense, from each start, and what a start adds
storage_plot     accuracy over stored bytes, and the Pareto front
"""
