"""A run, a comparison or one prompt as a single HTML file that asks nothing of anybody.

    run ──► document ──► page ──► file
                ▲                  │
                └──── reading ◄────┘

:mod:`~mlxjsd.output.report.document` packs what was measured, and works out from the *packed*
numbers everything that is shown. :mod:`~mlxjsd.output.report.page` makes the file of that document
and of nothing else. So :mod:`~mlxjsd.output.report.reading`, which is given a file of anybody's,
can make both again and see whether something in it was changed.

The pictures are drawn by Vega (BSD-3-Clause), which lies in ``page/vega`` as it is published. What
else was measured, minified: plotly 4.8 MB (1.5 MB of its charts with axes alone), bokeh 1.27 MB,
echarts 1.12 MB; Vega 0.52 MB. It draws SVG, which stays sharp on paper and on a phone, and with
its interpreter it needs no ``eval``, so the page can forbid all code but its own.
"""
