using OT.Studies;

return StudyRunner.Run(args, Console.Out);
