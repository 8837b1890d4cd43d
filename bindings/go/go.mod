module macrohard-example

go 1.19
