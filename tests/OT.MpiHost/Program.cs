using OT.Accelerators.Mpi;
using OT.MpiHost;

// One scenario on every rank: what mpirun starts for the tests of the MPI back end. Rank 0 writes "key value" lines.
return MpiCommunicator.Run(
    ranks =>
    {
        Scenario scenario = Scenarios.Find(args[0]);
        var report = new Report(ranks.Rank == 0 ? Console.Out : TextWriter.Null);
        scenario(ranks, args[1..], report);
        Console.Out.Flush();
        return 0;
    },
    Console.Error
);
