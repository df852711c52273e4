# guest: none
# Commands that several tests share.
define to
  tbreak $arg0
  continue
end
